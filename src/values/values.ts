/** The values of one block of a protocol while it is read: its variables, templates and regular expressions. */
import type { Place } from '../config/contract.ts';
import { bindRegex, type Regex } from './regex.ts';
import { compileTemplate, type Template } from './template.ts';
import { type Subject, Variables } from './variables.ts';

export class Values<R extends Subject> {
  readonly variables: Variables<R>;
  /** What is written alike in many servers is compiled once. */
  readonly #templates = new Map<string, Template<R>>();
  readonly #regexes = new Map<string, Regex<R>>();

  /** `complain` is told of a variable that refers to itself. */
  constructor(complain: (request: R, message: string) => void) {
    this.variables = new Variables(complain);
  }

  /** Compiles a value with variables. Throws in nginx's words. */
  template(source: string, place?: Place): Template<R> {
    if (!source.includes('$')) return compileTemplate(source, this.variables, place);
    let template = this.#templates.get(source);
    if (!template) this.#templates.set(source, (template = compileTemplate(source, this.variables, place)));
    return template;
  }

  /** Compiles a pattern; its named captures become variables. Throws in nginx's words. */
  regex(source: string, caseless: boolean, place?: Place): Regex<R> {
    const id = `${caseless ? '~*' : '~'}${source}`;
    let regex = this.#regexes.get(id);
    if (!regex) this.#regexes.set(id, (regex = bindRegex(source, caseless, this.variables, place)));
    return regex;
  }
}
