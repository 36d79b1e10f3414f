/** Pages made for the ways of some browsers: `msie_padding` and `msie_refresh`. */
import type { Request } from './request.ts';
import { isMsie, showsOwnErrors } from './user-agent.ts';

const PADDING = '<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n'.repeat(6);

/** What makes an error page long enough for browsers that show short ones as pages of their own; '' for others. */
export const paddingFor = (request: Request, status: number): string => {
  if (status < 400 || request.version < 1000 || !request.location.core.msie_padding) return '';
  return showsOwnErrors(request.headers.get('user-agent') ?? '') ? PADDING : '';
};

/** Whether the client is to be redirected by a page rather than by a status. */
export const wantsRefresh = (request: Request): boolean =>
  request.location.core.msie_refresh && isMsie(request.headers.get('user-agent') ?? '');

const UNSAFE = /[\0-\x20"'<>\\^`{|~\x7f-\xff]/g;

/** A page that leads to `location` at once. */
export const refreshPage = (location: string): string => {
  const url = location.replace(
    UNSAFE,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
  return `<html><head><meta http-equiv="Refresh" content="0; URL=${url}"></head><body></body></html>\r\n`;
};
