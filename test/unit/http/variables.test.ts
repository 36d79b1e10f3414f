import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Server } from '../../../src/http/location.ts';
import { compileTemplate } from '../../../src/http/template.ts';
import { Variables } from '../../../src/http/variables.ts';
import { loadHttp, requestTo, verdictOf } from './http-rig.ts';

const place = { file: 'nginx.conf', line: 7, column: 1 };
const reason = (message: string) => ({ reason: message });
const requestOf = (variables: Variables) => requestTo(new Server(), variables.slots);

const some = (): Variables => {
  const variables = new Variables();
  variables.declare({
    fixed: { get: () => 'f' },
    gone: { get: () => undefined },
    open: { changeable: true, get: () => 'o' },
    arg_: { get: (_request, name) => `<${name}>` },
    arg_long_: { get: (_request, name) => `<<${name}>>` },
    bound_: { get: () => 'never', bind: (name) => () => `bound ${name}` },
  });
  return variables;
};

describe('variables', () => {
  const table: readonly (readonly [name: string, value: string | undefined])[] = [
    ['fixed', 'f'],
    ['FIXED', 'f'],
    ['gone', undefined],
    ['open', 'o'],
    ['arg_x', '<arg_x>'],
    ['ARG_X', '<arg_x>'],
    ['arg_', '<arg_>'],
    ['arg_long_x', '<<arg_long_x>>'],
    ['bound_x', 'bound bound_x'],
  ];
  for (const [name, value] of table) {
    it(`$${name}`, () => {
      const variables = some();
      const ref = variables.use(name, place);
      variables.bind();
      assert.equal(ref.get(requestOf(variables)), value);
    });
  }

  it('that nothing defines are an error where they are used', () => {
    const variables = some();
    variables.use('Nope', place);
    assert.throws(() => variables.bind(), { reason: 'unknown "nope" variable', place: undefined, at: place });
  });

  it('have one slot each', () => {
    const variables = some();
    assert.equal(variables.use('fixed'), variables.use('Fixed'));
    assert.notEqual(variables.use('arg_a').slot, variables.use('arg_b').slot);
    assert.equal(variables.slots, 3);
  });

  it('may be used above the line that defines them', () => {
    const variables = some();
    const ref = variables.use('later');
    variables.define('LATER', { get: () => 'l' });
    variables.bind();
    assert.equal(ref.get(requestOf(variables)), 'l');
  });

  it('may be defined twice, the last wins; but not over a fixed one', () => {
    const variables = some();
    variables.define('mine', { get: () => '1' });
    const ref = variables.define('mine', { get: () => '2' });
    const open = variables.define('open', { get: () => '3' });
    assert.throws(
      () => variables.define('Fixed', { get: () => '' }),
      reason('the duplicate "Fixed" variable'),
    );
    variables.bind();
    const request = requestOf(variables);
    assert.deepEqual([ref.get(request), open.get(request)], ['2', '3']);
  });

  it('that statements set are not found until then', () => {
    const variables = some();
    const ref = variables.settable('mine');
    const kept = variables.settable('open');
    const initially = variables.settable('late', undefined, { get: () => '' });
    assert.throws(() => variables.settable('fixed'), reason('the duplicate "fixed" variable'));
    variables.bind();
    const request = requestOf(variables);
    assert.deepEqual([ref.get(request), kept.get(request), initially.get(request)], [undefined, 'o', '']);
    request.values[ref.slot] = 'set';
    request.values[kept.slot] = null;
    assert.deepEqual([ref.get(request), kept.get(request)], ['set', undefined]);
  });

  it('that act when they are set keep doing so', () => {
    const variables = some();
    const seen: string[] = [];
    variables.declare({
      acts: { changeable: true, get: () => 'a', set: (_request, value) => seen.push(value) },
    });
    const ref = variables.settable('acts');
    variables.define('acts', { get: () => 'b' });
    variables.bind();
    const request = requestOf(variables);
    ref.definition?.set?.(request, 'x');
    assert.deepEqual([ref.get(request), seen], ['b', ['x']]);
  });

  it('that are cached are worked out once for each request, also when not found', () => {
    const variables = new Variables();
    let calls = 0;
    variables.declare({
      once: { cached: true, get: () => `${++calls}` },
      none: { cached: true, get: () => void calls++ },
      each: { get: () => `${++calls}` },
    });
    const [cached, none, each] = ['once', 'none', 'each'].map((name) => variables.use(name));
    variables.bind();
    const request = requestOf(variables);
    assert.deepEqual([cached?.get(request), cached?.get(request)], ['1', '1']);
    assert.deepEqual([none?.get(request), none?.get(request), calls], [undefined, undefined, 2]);
    assert.deepEqual([each?.get(request), each?.get(request)], ['3', '4']);
    assert.equal(cached?.get(requestOf(variables)), '5');
  });
});

describe('templates', () => {
  const table: readonly (readonly [source: string, text: string, refs: number])[] = [
    ['', '', 0],
    ['plain', 'plain', 0],
    ['$fixed', 'f', 1],
    ['${fixed}', 'f', 1],
    ['a$fixed', 'af', 1],
    ['${fixed}b', 'fb', 1],
    ['[$fixed$gone$open]', '[fo]', 3],
    ['$fixed$fixed', 'ff', 2],
    ['$arg_x-$arg_y', '<arg_x>-<arg_y>', 2],
    ['$1-$2-$3', 'one--', 0],
    ['$12', 'one2', 0],
    ['a${fixed}b${open}c${fixed}d', 'afbocfd', 3],
    ['$fixed/$open', 'f/o', 2],
  ];
  for (const [source, text, refs] of table) {
    it(JSON.stringify(source), () => {
      const variables = some();
      const template = compileTemplate(source, variables, place);
      variables.bind();
      const request = requestOf(variables);
      request.captures = /(.+)/.exec('one') ?? undefined;
      assert.equal(template.text(request), text);
      assert.equal(template.refs.length, refs);
      assert.equal(template.source, source);
      assert.equal(template.constant, source.includes('$') ? undefined : source);
    });
  }

  const refused: readonly (readonly [source: string, message: string])[] = [
    ['$', 'invalid variable name'],
    ['a$-b', 'invalid variable name'],
    ['${}', 'invalid variable name'],
    ['${fixed', 'the closing bracket in "fixed" variable is missing'],
    ['${fi-xed}', 'the closing bracket in "fi" variable is missing'],
  ];
  for (const [source, message] of refused) {
    it(`${source} is refused`, () =>
      assert.throws(() => compileTemplate(source, some(), place), { reason: message, place }));
  }
});

describe('variables of a configuration', () => {
  const table: readonly (readonly [http: string, verdict: string])[] = [
    ['server { return 200 $nope; }', 'unknown "nope" variable'],
    ['server { return 200 $x; set $X 1; }', ''],
    ['server { set x a; }', 'invalid variable name "x"'],
    ['server { set $host a; }', 'the duplicate "host" variable'],
    ['server { set $args a; set $limit_rate 1; }', ''],
    ['server { location ~ ^/(?<host>.) {} }', 'the duplicate "host" variable'],
    ['server { location ~ ^/(?<mine>.) { return 200 $mine; } }', ''],
    ['map $host $uri { default 1; }', 'the duplicate "uri" variable'],
    ['map $host $a { default $b; } map $host $b { default $c; }', 'unknown "c" variable'],
    ['map $host $x { default 1; } server { set $x 2; return 200 $x; }', ''],
  ];
  for (const [http, verdict] of table) it(http, () => assert.equal(verdictOf(http), verdict));

  it('take a slot only when they are used', () => {
    const before = loadHttp('server {}').variables.slots;
    assert.equal(loadHttp('server { return 200 $host$uri$host; }').variables.slots, before + 2);
  });
});
