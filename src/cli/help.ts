/** `-h`. */
import { PATHS } from './paths.ts';

/** The help of `-h`; what follows the version line. */
export const helpText = (): string =>
  [
    'Usage: nginx [-?hvVtTq] [-s signal] [-p prefix]',
    '             [-e filename] [-c filename] [-g directives]',
    '',
    'Options:',
    '  -?,-h         : this help',
    '  -v            : show version and exit',
    '  -V            : show version and configure options then exit',
    '  -t            : test configuration and exit',
    '  -T            : test configuration, dump it and exit',
    '  -q            : suppress non-error messages during configuration testing',
    '  -s signal     : send signal to a master process: stop, quit, reopen, reload',
    `  -p prefix     : set prefix path (default: ${PATHS.prefix})`,
    `  -e filename   : set error log file (default: ${PATHS.errorLog})`,
    `  -c filename   : set configuration file (default: ${PATHS.conf})`,
    '  -g directives : set global directives out of configuration file',
    '',
    '',
  ].join('\n');
