# The value of a directive with variables: text, $name, ${name} and the captures $1 to $9.
@preprocessor typescript
@{%
const text = { type: 'text' };
const capture = { type: 'capture' };
const variable = { type: 'variable' };
const push = ([parts, part]) => {
  parts.push(part);
  return parts;
};
%}

template ->
    part          {% (parts) => parts %}
  | template part {% push %}

part ->
    %text     {% ([token]) => token.value %}
  | %capture  {% ([token]) => ({ capture: Number(token.value) }) %}
  | %variable {% ([token]) => ({ variable: token.value }) %}
