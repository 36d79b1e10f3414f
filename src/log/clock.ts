/** The time as the logs write it, in the local time zone, made once a second. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);

/** The strings of one second. */
class Second {
  second = -1;
  error = '';
  local = '';
  iso = '';
  syslog = '';

  set(second: number): void {
    const date = new Date(second * 1000);
    const [year, month, day] = [date.getFullYear(), date.getMonth(), date.getDate()];
    const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    const east = -date.getTimezoneOffset();
    const [hours, minutes] = [two(Math.trunc(Math.abs(east) / 60)), two(Math.abs(east) % 60)];
    const sign = east < 0 ? '-' : '+';
    const name = MONTHS[month] ?? '';
    this.second = second;
    this.error = `${year}/${two(month + 1)}/${two(day)} ${time}`;
    this.local = `${two(day)}/${name}/${year}:${time} ${sign}${hours}${minutes}`;
    this.iso = `${year}-${two(month + 1)}-${two(day)}T${time}${sign}${hours}:${minutes}`;
    this.syslog = `${name} ${day < 10 ? ` ${day}` : day} ${time}`;
  }
}

const cached = new Second();

const at = (now: number): Second => {
  const second = Math.floor(now / 1000);
  if (second !== cached.second) cached.set(second);
  return cached;
};

/** `2026/01/31 12:00:00`, at the start of an error log line. `now` is in milliseconds since 1970. */
export const errorTime = (now: number): string => at(now).error;
/** `31/Jan/2026:12:00:00 +0100`, the variable $time_local. */
export const localTime = (now: number): string => at(now).local;
/** `2026-01-31T12:00:00+01:00`, the variable $time_iso8601. */
export const isoTime = (now: number): string => at(now).iso;
/** `Jan 31 12:00:00`, the header of a syslog message (RFC 3164). */
export const syslogTime = (now: number): string => at(now).syslog;
