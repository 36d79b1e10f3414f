/** The `events` block: how many connections a worker takes, and whose are logged in full. */
import { block, defineModule, directive, key, type Parser } from '../config/contract.ts';
import { parseNumber } from '../config/numbers.ts';
import { wordAt } from '../config/parsers.ts';
import { DebugConnections } from './debug-connections.ts';

const events = ['events'] as const;

/** What the `events` block of a configuration says; carried by the top of the file. */
export interface EventsConf {
  /** `worker_connections`. */
  connections: number;
  readonly debug: DebugConnections;
}
/** Found at any block inside the file: `scope.find(eventsKey)?.debug`. */
export const eventsKey = key<EventsConf>('events');

const DEFAULT_CONNECTIONS = 512;

const workerConnections: Parser<number> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    const value = parseNumber(word.text);
    if (value === undefined) return args.fail(`invalid number "${word.text}"`, word);
    const conf = args.scope.find(eventsKey);
    if (conf) conf.connections = value;
    return value;
  },
};

const debugConnection: Parser<readonly string[]> = {
  arity: 1,
  repeats: true,
  parse(args, own = []) {
    const word = wordAt(args, 0);
    const debug = args.scope.find(eventsKey)?.debug;
    if (!debug || debug.add(word.text)) return [...own, word.text];
    const found = args.scope.load.addresses(word.text);
    if (found.length === 0) args.fail(`host not found in debug_connection "${word.text}"`, word);
    for (const address of found) debug.add(address);
    return [...own, ...found];
  },
};

export const eventsModule = defineModule({
  name: 'event_core',
  directives: {
    events: block({
      in: ['main'],
      arity: 'none',
      child: 'events',
      begin(args) {
        args.scope.carry(eventsKey, { connections: DEFAULT_CONNECTIONS, debug: new DebugConnections() });
      },
    }),
    worker_connections: directive(workerConnections, { in: events, initial: DEFAULT_CONNECTIONS }),
    debug_connection: directive(debugConnection, { in: events, initial: [] }),
  },
});
