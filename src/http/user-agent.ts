/** What a User-Agent says of the browsers that some directives make exceptions for (ngx_http_process_user_agent). */

/** Internet Explorer with a version behind its name; Opera used to call itself that too. */
export const isMsie = (agent: string): boolean => {
  const at = agent.indexOf('MSIE ');
  return at >= 0 && at + 7 < agent.length && !agent.includes('Opera');
};

/** Internet Explorer 4 to 6, the last without its Service Pack 1 for security. */
export const isMsie6 = (agent: string): boolean => {
  if (!isMsie(agent)) return false;
  const at = agent.indexOf('MSIE ');
  if (agent.charAt(at + 6) !== '.') return false;
  const major = agent.charAt(at + 5);
  return major === '4' || major === '5' || (major === '6' && !agent.includes('SV1', at + 8));
};

/** Internet Explorer and Chrome put pages of their own in the place of short error pages. */
export const showsOwnErrors = (agent: string): boolean =>
  isMsie(agent) || (agent.includes('Chrome/') && !agent.includes('Opera') && !agent.includes('Gecko/'));

/** Safari of a Mac, and not one of the browsers that name it beside themselves. */
export const isSafari = (agent: string): boolean =>
  agent.includes('Safari/') &&
  agent.includes('Mac OS X') &&
  !/Opera|Gecko\/|Chrome\//.test(agent) &&
  !isMsie(agent);
