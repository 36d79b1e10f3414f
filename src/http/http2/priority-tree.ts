/**
 * Which stream goes first where several wait: the dependencies and weights of RFC 7540 section 5.3. Made when a
 * client first speaks of priorities; until then all are equal. Closed streams are remembered for a while, since
 * others may depend on them.
 */

const DEFAULT_WEIGHT = 16;
/** How many closed streams, and such as are not there yet, are remembered. */
const MOST_CLOSED = 32;

class Node {
  parent: Node | undefined = undefined;
  readonly children = new Set<Node>();
  /** Its depth, and the part of its parent's weight that is its own. */
  rank = 1;
  share = 0;
  open = false;

  constructor(
    readonly id: number,
    public weight: number,
  ) {}
}

export class PriorityTree {
  readonly #nodes = new Map<number, Node>();
  readonly #top = new Set<Node>();
  /** In the order in which they are forgotten. */
  readonly #closed = new Set<Node>();

  /** How many streams it knows. */
  get size(): number {
    return this.#nodes.size;
  }

  /** A stream begins, with what its HEADERS frame says or as its earlier PRIORITY frame said. */
  open(id: number, weight: number | undefined, depend: number, exclusive: boolean): void {
    const before = this.#nodes.get(id);
    const node = before ?? this.#add(id, weight ?? DEFAULT_WEIGHT);
    this.#closed.delete(node);
    node.open = true;
    if (weight !== undefined || !before) {
      node.weight = weight ?? DEFAULT_WEIGHT;
      this.#place(node, depend, exclusive);
    }
  }

  /** A PRIORITY frame, which may come at any time. */
  set(id: number, weight: number, depend: number, exclusive: boolean): void {
    const node = this.#nodes.get(id) ?? this.#add(id, weight);
    node.weight = weight;
    if (!node.open) this.#remember(node);
    this.#place(node, depend, exclusive);
  }

  close(id: number): void {
    const node = this.#nodes.get(id);
    if (!node) return;
    node.open = false;
    this.#remember(node);
  }

  /** Negative when the first goes before the second; both are open. */
  compare(first: number, second: number): number {
    const a = this.#nodes.get(first);
    const b = this.#nodes.get(second);
    if (!a || !b) return 0;
    return a.rank === b.rank ? b.share - a.share : a.rank - b.rank;
  }

  #remember(node: Node): void {
    this.#closed.delete(node);
    this.#closed.add(node);
  }

  #add(id: number, weight: number): Node {
    if (this.#closed.size >= MOST_CLOSED) this.#forgetOne();
    const node = new Node(id, weight);
    this.#nodes.set(id, node);
    return node;
  }

  /** The oldest closed one goes; its children share its weight and take its place. */
  #forgetOne(): void {
    const [node] = this.#closed;
    if (!node) return;
    this.#closed.delete(node);
    this.#nodes.delete(node.id);
    this.#siblings(node.parent).delete(node);
    let sum = 0;
    for (const { weight } of node.children) sum += weight;
    for (const child of node.children) {
      child.parent = node.parent;
      child.weight = Math.max(1, Math.floor((node.weight * child.weight) / sum));
      this.#siblings(node.parent).add(child);
      this.#update(child);
    }
  }

  #siblings(parent: Node | undefined): Set<Node> {
    return parent ? parent.children : this.#top;
  }

  #place(node: Node, depend: number, exclusive: boolean): void {
    const parent = depend === 0 ? undefined : this.#nodes.get(depend);
    for (let above = parent; above; above = above.parent) {
      if (above.parent !== node) continue;
      // The new parent stands below the node now: it moves up to where that was.
      if (parent) this.#move(parent, node.parent);
      break;
    }
    if (exclusive && (parent || depend === 0)) {
      for (const child of [...this.#siblings(parent)]) {
        if (child !== node) this.#move(child, node);
      }
    }
    this.#move(node, parent);
    if (parent && !parent.open) this.#remember(parent);
    this.#update(node);
  }

  #move(node: Node, parent: Node | undefined): void {
    this.#siblings(node.parent).delete(node);
    node.parent = parent;
    this.#siblings(parent).add(node);
    if (parent !== undefined || node.rank !== 1) this.#update(node);
  }

  #update(node: Node): void {
    node.rank = node.parent ? node.parent.rank + 1 : 1;
    node.share = ((node.parent ? node.parent.share : 1) / 256) * node.weight;
    for (const child of node.children) this.#update(child);
  }
}
