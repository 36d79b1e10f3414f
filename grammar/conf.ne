# One item of nginx.conf: a statement, the head of a block, the end of a block, or the end of the text.
# It is parsed item by item: each is checked and acted on before the next is read. The list of words pushes in
# place, which keeps it linear; `word:+` would copy the list at each word.
@preprocessor typescript
@{%
const word = { type: 'word' };
const quoted = { type: 'quoted' };
const semicolon = { type: 'semicolon' };
const open = { type: 'open' };
const close = { type: 'close' };
const end = { type: 'end' };
const push = ([words, last]) => {
  words.push(last);
  return words;
};
%}

item ->
    words %semicolon {% ([words, last]) => ({ kind: 'statement', words, last }) %}
  | words %open      {% ([words, last]) => ({ kind: 'open', words, last }) %}
  | %close           {% ([last]) => ({ kind: 'close', words: [], last }) %}
  | %end             {% ([last]) => ({ kind: 'end', words: [], last }) %}

words ->
    any       {% (words) => words %}
  | words any {% push %}

any ->
    %word   {% ([token]) => token %}
  | %quoted {% ([token]) => token %}
