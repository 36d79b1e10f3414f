/** What `stream` makes of values: `map`, `geo`, `split_clients`, `set`. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';

const rig = new Rig();
let proxy: Subject;

before(async () => {
  proxy = await startProxy(
    rig,
    streamConf(`
      map $server_port $by_port {
        %port:map% "exact $remote_addr";
        ~(?<last>.)$ "regex $last";
        default none;
      }
      map $server_name $by_name { hostnames; volatile; .a.test bare; *.b.test wild; default none; }
      map $later $by_set { yes set; default unset; }
      geo $client { 127.0.0.0/8 here; default away; }
      geo $given $by_given { ranges; 10.0.0.0-10.0.0.255 ten; default other; }
      split_clients $remote_addr$server_name $share { 50% half; * rest; }
      server { listen 127.0.0.1:%port:map%; server_name a.test; return '$by_port $by_name'; }
      server { listen 127.0.0.1:%port:other%; server_name x.b.test; return '$by_port $by_name'; }
      server {
        listen 127.0.0.1:%port:geo%;
        set $given 10.0.0.7;
        return '$client $by_given $share';
      }
      server { listen 127.0.0.1:%port:share%; server_name b; return '$client $by_given $share'; }
      server {
        listen 127.0.0.1:%port:set%;
        set $later yes;
        set $Twice "$later $server_port";
        set $twice "<$twice>";
        return '$by_set $twice';
      }
      server { listen 127.0.0.1:%port:unset%; return '$by_set [$twice] [$last]'; }`),
  );
});
after(() => rig.close());

const said = async (name: string): Promise<string> => {
  const wire = await proxy.connect(name);
  const text = await wire.readToEnd();
  wire.close();
  return text;
};

test('map: exact values, patterns with captures, names of hosts', async () => {
  assert.equal(await said('map'), 'exact 127.0.0.1 bare');
  const digit = `${proxy.port('other')}`.slice(-1);
  assert.equal(await said('other'), `regex ${digit} wild`);
});

test('geo: by the client, by another address; split_clients', async () => {
  assert.equal(await said('geo'), 'here ten rest');
  assert.equal(await said('share'), 'here other half');
});

test('set: in the order of the file; where it has not run a variable is empty', async () => {
  assert.equal(await said('set'), `set <yes ${proxy.port('set')}>`);
  assert.equal(await said('unset'), 'unset [] []');
});
