/** Patterns of a configuration meet any client's text: none of them may hang a worker. */
import { setFlagsFromString } from 'node:v8';

/** V8's option to go on with its linear engine where backtracking gets out of hand. */
export const LINEAR_REGEXPS = '--enable-experimental-regexp-engine-on-excessive-backtracks';

/** The same for this process, which was started without it. */
export const useLinearRegexps = (): void => setFlagsFromString(LINEAR_REGEXPS);
