# The expression of SSI's `if` and `elif`: a value by itself, or compared with a text or a regular expression.
@preprocessor typescript
@{%
const kind = (type) => ({ test: (token) => token.type === type });
const operand = kind('operand');
const equal = kind('equal');
const text = kind('text');
const regex = kind('regex');
const compare = (left, [operator, right]) => ({ left, negated: operator.value === '!=', ...right });
%}

expression ->
    left                {% ([left]) => ({ left }) %}
  | left %equal right   {% ([left, operator, right]) => compare(left, [operator, right]) %}

left ->
    null                {% () => '' %}
  | %operand            {% ([operand]) => operand.value.toLowerCase() %}

right ->
    null                {% () => ({ text: '' }) %}
  | %text               {% ([text]) => ({ text: text.value }) %}
  | %regex              {% ([regex]) => ({ pattern: regex.value }) %}
