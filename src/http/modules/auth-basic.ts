/** `auth_basic`: a user and a password from a file (RFC 7617, ngx_http_auth_basic). */
import { readFileSync } from 'node:fs';
import { type Context, directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { CRIT, ERROR, INFO } from '../../log/levels.ts';
import { errorCode, errorText } from '../../platform/errno.ts';
import { HTTP } from '../build.ts';
import { type Handler, httpModule } from '../module.ts';
import { template } from '../parsers.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Template } from '../template.ts';
import { DECLINED, OK, type Verdict } from '../verdict.ts';
import { basicCredentials } from './basic-credentials.ts';
import { isPassword } from './password.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location', 'limit_except'];

/** A file's path, against the folder of the configuration. */
interface UserFile {
  readonly path: Template;
  readonly folder: string;
}

const userFile: Parser<UserFile> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    return {
      path: args.scope.need(HTTP).template(word.text, args.place),
      folder: args.scope.load.confPrefix,
    };
  },
};

const challenge = (request: Request, realm: string): Verdict => {
  const proxy = request.method === 'CONNECT';
  request.out.add(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate', `Basic realm="${realm}"`);
  return proxy ? 407 : 401;
};

/** What the file says behind a user's name; undefined when the user is not in it. */
const storedFor = (text: string, user: string): string | undefined => {
  for (const line of text.split('\n')) {
    if (!line.startsWith('#') && line.startsWith(`${user}:`))
      return line.slice(user.length + 1).split(/[\r:]/, 1)[0];
  }
  return undefined;
};

const check = (request: Request, realm: string, user: string, password: string, path: string): Verdict => {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    const absent = errorCode(error) === 'ENOENT';
    const call = errorCode(error) === 'EISDIR' ? 'pread()' : 'open()';
    logRequest(request, absent ? ERROR : CRIT, `${call} "${path}" failed (${errorText(error)})`);
    return absent ? 403 : 500;
  }
  const stored = storedFor(text, user);
  if (stored === undefined) {
    logRequest(request, ERROR, `user "${user}" was not found in "${path}"`);
    return challenge(request, realm);
  }
  let good: boolean | undefined;
  try {
    good = isPassword(password, stored);
  } catch (error) {
    logRequest(request, CRIT, `crypt() failed (${errorText(error)})`);
    return 500;
  }
  if (good === undefined) {
    logRequest(request, CRIT, 'crypt() failed (22: Invalid argument)');
    return 500;
  }
  if (good) return OK;
  logRequest(request, ERROR, `user "${user}": password mismatch`);
  return challenge(request, realm);
};

const handler =
  (realm: Template, { path, folder }: UserFile): Handler =>
  (request) => {
    const name = realm.text(request);
    if (name === 'off') return DECLINED;
    const credentials = basicCredentials(request);
    if (!credentials) {
      logRequest(request, INFO, 'no user/password was provided for basic authentication');
      return challenge(request, name);
    }
    const text = path.text(request);
    const file = text.startsWith('/') ? text : folder + text;
    return check(request, name, credentials.user, credentials.password, file);
  };

export const authBasicModule = httpModule({
  name: 'http_auth_basic',
  directives: {
    auth_basic: directive<Template | undefined>(template, { in: WHERE, initial: undefined }),
    auth_basic_user_file: directive<UserFile | undefined>(userFile, { in: WHERE, initial: undefined }),
  },
  phases: {
    access: ({ auth_basic: realm, auth_basic_user_file: file }) =>
      realm && file && realm.constant !== 'off' ? handler(realm, file) : undefined,
  },
});
