/**
 * A DNS client: names to addresses through the name servers of a `resolver` directive. What is known is kept as long
 * as it holds, all who ask for one name share its query, and a query without a reply goes to the next server.
 */
import { randomInt } from 'node:crypto';
import { type DnsAnswer, type DnsReply, decodeAnswers, decodeReply, Malformed } from './dns-decode.ts';
import { encodeQuery, RECORD } from './dns-encode.ts';
import { Lookup, type LookupOwner, lookupError, NO_SUCH_NAME, type Resolved } from './lookup.ts';
import { NameRecord, Question, type RecordOwner } from './name-record.ts';
import { NameServer, type NameServerOwner, type ServerAddress } from './name-server.ts';
import { ServiceLookup } from './service-lookup.ts';

export interface ResolverConf {
  readonly servers: readonly ServerAddress[];
  /** Seconds that answers hold, whatever they say themselves; 0: as they say. */
  readonly valid: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** Milliseconds after which a query without a reply is repeated. */
const RESEND = 5000;
/** Seconds that an answer is remembered after it was used last. */
const UNUSED = 30;
/** Seconds that a failure holds, where `valid=` does not say. */
const FAILURE = 10;
const MOST_CNAMES = 50;
const FORMAT_ERROR = 1;
const REFUSED = 5;

const seconds = (): number => Math.floor(Date.now() / 1000);

const keyOf = (name: string, service: boolean): string => (service ? `SRV ${name}` : name);

export class Resolver implements NameServerOwner, RecordOwner {
  /** Takes lines for the error log, level error. */
  log: (message: string) => void = () => {};
  readonly #servers: readonly NameServer[];
  /** By key; those that were used longest ago first. */
  readonly #records = new Map<string, NameRecord>();
  readonly #pending = new Set<NameRecord>();
  /** The server that the next name begins with. */
  #next = 0;

  constructor(readonly conf: ResolverConf) {
    this.#servers = conf.servers.map((address) => new NameServer(address, this));
  }

  /**
   * Looks for the addresses of a name, or with `service` for those of its SRV records, at most `timeout` ms (0: for
   * ever). `owner` is told when it is over, which may be at once.
   */
  lookup(name: string, service: string, timeout: number, owner: LookupOwner): Lookup {
    this.#forget();
    const host = name.toLowerCase().replace(/\.$/, '');
    const lookup = new Lookup(host, service, owner, timeout);
    const asked = service.includes('.') ? `${service}.${host}` : `_${service}._tcp.${host}`;
    this.#ask(lookup, service === '' ? host : asked.toLowerCase());
    return lookup;
  }

  report(message: string): void {
    this.log(message);
  }

  onUnreachable(server: NameServer): void {
    for (const record of this.#pending) {
      if (record.retried || this.#servers[record.server] !== server) continue;
      record.retried = true;
      this.#sendNext(record);
    }
  }

  onOverdue(record: NameRecord): void {
    if (record.waiting.size === 0) {
      this.#records.delete(record.key);
      this.#complete(record);
      this.#rest();
      return;
    }
    this.#toEnd(record);
    this.#sendNext(record);
    record.timer.start(RESEND);
  }

  onMessage(bytes: Buffer, tcp: boolean): void {
    try {
      this.#take(bytes, decodeReply(bytes, tcp));
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.log(error.message);
    }
    this.#rest();
  }

  /** Closes the sockets when nobody waits for a reply. */
  #rest(): void {
    if (this.#pending.size > 0) return;
    for (const server of this.#servers) server.close();
  }

  /** Finds `asked` for `lookup`, or joins those who wait for it, or sends queries. */
  #ask(lookup: Lookup, asked: string): void {
    const service = lookup.service !== '';
    const key = keyOf(asked, service);
    const known = this.#records.get(key);
    const now = seconds();
    if (known && known.valid >= now) {
      known.expire = now + UNUSED;
      this.#toEnd(known);
      this.#deliver(lookup, known, true);
      return;
    }
    const record = known && known.waiting.size > 0 ? known : this.#query(key, asked, service);
    if (!record) {
      lookup.end(NO_SUCH_NAME, [], this.#failedValid());
      return;
    }
    lookup.record = record;
    record.waiting.add(lookup);
    if (lookup.timeout > 0 && !lookup.timer.running) lookup.timer.start(lookup.timeout);
  }

  /** A new record with its queries on their way; undefined when the name can't be asked for. */
  #query(key: string, name: string, service: boolean): NameRecord | undefined {
    const { ipv4, ipv6 } = this.conf;
    const types = service ? [RECORD.SRV] : [...(ipv4 ? [RECORD.A] : []), ...(ipv6 ? [RECORD.AAAA] : [])];
    const questions = types.flatMap((type) => {
      const id = randomInt(0x10000);
      const query = encodeQuery(id, name, type);
      return query ? [new Question(id, type, query)] : [];
    });
    const before = this.#records.get(key);
    if (before) this.#complete(before);
    this.#records.delete(key);
    if (questions.length === 0) return undefined;
    const record = new NameRecord(key, name, this);
    record.questions = questions;
    record.server = this.#next;
    this.#next = (this.#next + 1) % this.#servers.length;
    this.#records.set(key, record);
    this.#pending.add(record);
    this.#send(record);
    record.timer.start(RESEND);
    return record;
  }

  #sendNext(record: NameRecord): void {
    record.server = (record.server + 1) % this.#servers.length;
    this.#send(record);
  }

  #send(record: NameRecord): void {
    const server = this.#servers[record.server];
    for (const { addresses, tcp, query } of record.questions) {
      if (addresses) continue;
      if (tcp) server?.sendTcp(query);
      else server?.sendUdp(query);
    }
  }

  #take(bytes: Buffer, reply: DnsReply): void {
    const { id, code, name, type } = reply;
    if (code === FORMAT_ERROR || code > REFUSED) {
      this.#refused(id, code);
      return;
    }
    if (type !== RECORD.A && type !== RECORD.AAAA && type !== RECORD.SRV) {
      this.log(`unknown query type ${type} in DNS response`);
      return;
    }
    const record = this.#records.get(keyOf(name, type === RECORD.SRV));
    const question = record?.questions.find((one) => one.type === type && !one.addresses);
    if (!record || !question) {
      this.log(`unexpected DNS response for ${name}`);
      return;
    }
    if (reply.truncated && question.tcp) return;
    if (id !== question.id) {
      this.log(`wrong ident ${id} in DNS response for ${name}, expect ${question.id}`);
      return;
    }
    if (reply.truncated) {
      this.#overTcp(record, question);
      return;
    }
    this.#answered(record, question, code, code === 0 ? decodeAnswers(bytes, reply) : []);
  }

  #refused(id: number, code: number): void {
    const known = [...this.#pending].find(({ questions }) => questions.some((one) => one.id === id));
    const whose = known && code === FORMAT_ERROR ? `, name:"${known.name}"` : '';
    this.log(`DNS error (${code}: ${lookupError(code)}), query id:${id}${whose}`);
  }

  #overTcp(record: NameRecord, question: Question): void {
    if (record.waiting.size === 0) {
      this.#records.delete(record.key);
      this.#complete(record);
      return;
    }
    question.tcp = true;
    this.#servers[record.server]?.sendTcp(question.query);
    record.timer.start(RESEND);
  }

  #answered(record: NameRecord, question: Question, code: number, answers: readonly DnsAnswer[]): void {
    const found: DnsAnswer[] = [];
    let cname: string | undefined;
    for (const answer of answers) {
      const { type, ttl, value } = answer;
      record.ttl = Math.min(record.ttl, ttl);
      if (type === question.type) found.push(answer);
      else if (type === RECORD.CNAME) cname = value;
      else if (type !== RECORD.DNAME) this.log(`unexpected RR type ${type} in DNS response`);
    }
    question.addresses = found.map(({ value }) => value);
    const asking = record.questions.some(({ addresses }) => !addresses);
    const any = record.questions.some(({ addresses }) => addresses && addresses.length > 0);
    // Where one of two questions is answered with an error there are no addresses at all.
    const failure = code !== 0 ? code : record.code;
    if (failure !== 0 || (answers.length === 0 && !any)) {
      if (!asking) this.#failed(record, failure === 0 ? NO_SUCH_NAME : failure);
      else record.code = failure;
      return;
    }
    if (asking) return;
    if (any && question.type === RECORD.SRV) {
      record.services = [...found].sort((a, b) => a.priority - b.priority);
    } else if (any) {
      record.addresses = record.questions.flatMap(({ addresses = [] }) => addresses);
    } else if (cname !== undefined) {
      record.cname = cname;
    } else {
      this.log(
        question.type === RECORD.SRV ? 'no SRV type in DNS response' : 'no A or CNAME types in DNS response',
      );
      return;
    }
    this.#known(record);
  }

  #known(record: NameRecord): void {
    const now = seconds();
    record.valid = now + (this.conf.valid > 0 ? this.conf.valid : record.ttl);
    record.expire = now + UNUSED;
    this.#toEnd(record);
    for (const lookup of this.#complete(record)) this.#deliver(lookup, record, false);
  }

  #failed(record: NameRecord, code: number): void {
    this.#records.delete(record.key);
    for (const lookup of this.#complete(record)) lookup.end(code, [], this.#failedValid());
  }

  /** No reply is awaited any more. Gives those who waited. */
  #complete(record: NameRecord): readonly Lookup[] {
    const waiting = [...record.waiting];
    record.waiting.clear();
    record.questions = [];
    record.timer.remove();
    this.#pending.delete(record);
    for (const lookup of waiting) lookup.record = undefined;
    return waiting;
  }

  /** Gives `lookup` what is known; a CNAME, or the names of SRV, lead on. */
  #deliver(lookup: Lookup, record: NameRecord, rotate: boolean): void {
    if (lookup.over) return;
    const { addresses, services, cname, valid } = record;
    if (addresses.length > 0) {
      const from = rotate && addresses.length > 1 ? randomInt(addresses.length) : 0;
      lookup.end(0, [...addresses.slice(from), ...addresses.slice(0, from)].map(resolved), valid);
    } else if (services.length > 0) {
      lookup.timer.stop();
      const whole = new ServiceLookup(lookup, services, valid, () => this.#failedValid());
      whole.start((name, timeout, owner) => this.lookup(name, '', timeout, owner));
    } else if (cname !== undefined && lookup.recursion < MOST_CNAMES) {
      lookup.recursion++;
      this.#ask(lookup, cname);
    } else {
      lookup.end(NO_SUCH_NAME, [], this.#failedValid());
    }
  }

  #failedValid(): number {
    return seconds() + (this.conf.valid > 0 ? this.conf.valid : FAILURE);
  }

  #toEnd(record: NameRecord): void {
    this.#records.delete(record.key);
    this.#records.set(record.key, record);
  }

  /** Drops what nobody has used for a while, two at a time. */
  #forget(): void {
    const now = seconds();
    let left = 2;
    for (const [key, { questions, expire }] of this.#records) {
      if (left-- === 0 || questions.length > 0 || now <= expire) return;
      this.#records.delete(key);
    }
  }
}

const resolved = (host: string): Resolved => ({ host, port: 0, priority: 0, weight: 0, name: '' });
