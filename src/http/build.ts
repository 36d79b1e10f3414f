/** The http block while it is read: what its statements register for the time when it is complete. */
import { key, type Place, type Scope } from '../config/contract.ts';
import type { RegexResult } from '../config/regex.ts';
import { compileRegex } from '../config/regex.ts';
import type { ListenSpec } from '../process/contract.ts';
import type { Server } from './location.ts';
import { compileTemplate, type Template } from './template.ts';
import { Variables, type VariableRef } from './variables.ts';
import type { UpstreamRegistry } from '../upstream/registry.ts';
import type { Request } from './request.ts';

/** A `server { }` as written. */
export interface ServerBuild {
  readonly scope: Scope;
  readonly runtime: Server;
  readonly names: ServerName[];
  readonly listens: Listen[];
}

export interface ServerName {
  readonly text: string;
  readonly regex: Regex | undefined;
  readonly place: Place;
}

/** One `listen` of one server. */
export interface Listen {
  readonly spec: ListenSpec;
  readonly isDefault: boolean;
  readonly ssl: boolean;
  readonly http2: boolean;
  readonly proxyProtocol: boolean;
}

/** A regular expression of the configuration with its named captures bound to variables. */
export interface Regex {
  readonly source: string;
  readonly regexp: RegExp;
  /** Matches and, when it does, keeps the captures on the request. */
  readonly match: (request: Request, text: string) => boolean;
}

/** What is collected while an http block is read; found through `scope.need(HTTP)`. */
export class HttpBuild {
  readonly variables = new Variables();
  readonly servers: ServerBuild[] = [];
  constructor(
    readonly scope: Scope,
    readonly upstreams: UpstreamRegistry,
  ) {}

  template(source: string, place?: Place): Template {
    return compileTemplate(source, this.variables, place);
  }

  /** Compiles a pattern; its named captures become variables. Throws in nginx's words. */
  regex(source: string, caseless: boolean, place?: Place): Regex {
    const compiled: RegexResult = compileRegex(source, { caseless });
    const names: [VariableRef, number][] = compiled.names.map(([name, index]) => [this.variables.settable(name, place), index]);
    const regexp = compiled.regexp;
    if (names.length === 0) {
      const match = (request: Request, text: string): boolean => {
        const found = regexp.exec(text);
        if (!found) return false;
        request.captures = found;
        return true;
      };
      return { source, regexp, match };
    }
    const match = (request: Request, text: string): boolean => {
      const found = regexp.exec(text);
      if (!found) return false;
      request.captures = found;
      for (const [ref, index] of names) request.values[ref.slot] = found[index] ?? '';
      return true;
    };
    return { source, regexp, match };
  }
}

export const HTTP = key<HttpBuild>('the http block');
