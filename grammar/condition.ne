# The condition of `if`, on words that are already split: a variable, a comparison, or a test of a file.
@preprocessor typescript
@{%
const isWord = (pattern) => ({ test: (token) => pattern.test(token.value) });
const variable = isWord(/^\$[^]/);
const equal = isWord(/^!?=$/);
const match = isWord(/^!?~\*?$/);
const file = isWord(/^!?-[fdex]$/);
const any = { test: () => true };
const negated = (token) => token.value.startsWith('!');
const name = (token) => token.value.slice(1);
%}

condition ->
    %variable
      {% ([variable]) => ({ kind: 'variable', name: name(variable) }) %}
  | %variable %equal %any
      {% ([variable, operator, value]) =>
        ({ kind: 'equal', negated: negated(operator), name: name(variable), value: value.value }) %}
  | %variable %match %any
      {% ([variable, operator, pattern]) => ({
        kind: 'match',
        negated: negated(operator),
        caseless: operator.value.endsWith('*'),
        name: name(variable),
        pattern: pattern.value,
      }) %}
  | %file %any
      {% ([operator, path]) =>
        ({ kind: 'file', negated: negated(operator), test: operator.value.at(-1), path: path.value }) %}
