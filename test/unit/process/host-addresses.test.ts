import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { groupByName, userByName } from '../../../src/platform/accounts.ts';
import { hostAddresses } from '../../../src/platform/host-addresses.ts';

describe('the system databases', () => {
  it('know addresses and names', () => {
    assert.deepEqual(hostAddresses('127.0.0.1'), ['127.0.0.1']);
    const [local = ''] = hostAddresses('localhost');
    assert.ok(['127.0.0.1', '::1'].includes(local), local);
  });

  it('know users and groups', () => {
    assert.deepEqual(userByName('root'), { uid: 0, gid: 0 });
    assert.equal(groupByName('root'), 0);
    assert.equal(userByName('nobody-here'), undefined);
    assert.equal(groupByName('no-group'), undefined);
  });
});
