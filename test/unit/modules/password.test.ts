import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPassword } from '../../../src/http/modules/password.ts';
import { libcAvailable } from '../../../src/platform/libc.ts';

const cases: readonly (readonly [key: string, stored: string])[] = [
  ['password', '{PLAIN}password'],
  ['password', '{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g='],
  ['password', '{SSHA}yI6cZwQadOA1e+/f+T+H3eCQQhRzYWx0'],
  ['password', '$apr1$salt$Xxd1irWT9ycqoYxGFn4cb.'],
];

for (const [key, stored] of cases) {
  test(`the password of ${stored}`, () => {
    assert.equal(isPassword(key, stored), true);
    assert.equal(isPassword(`${key}x`, stored), false);
  });
}

test('what crypt(3) makes', { skip: !libcAvailable() }, () => {
  const stored = '$5$saltsalt$gOjOtoMpVhru2uyjeJSEc/JaLQWOXMNmlOnj6T4AtC.';
  assert.equal(isPassword('password', stored), true);
  assert.equal(isPassword('no such', stored), false);
});
