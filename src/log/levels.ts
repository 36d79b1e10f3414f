/** nginx's log levels, from the gravest; a log of level N writes what is at N or below. */
export const LEVELS = [
  'stderr',
  'emerg',
  'alert',
  'crit',
  'error',
  'warn',
  'notice',
  'info',
  'debug',
] as const;
export type LevelName = (typeof LEVELS)[number];

export const EMERG = 1;
export const ALERT = 2;
export const CRIT = 3;
export const ERROR = 4;
export const WARN = 5;
export const NOTICE = 6;
export const INFO = 7;
export const DEBUG = 8;
