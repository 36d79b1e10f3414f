/** Dates of HTTP (RFC 9110 section 5.6.7), in whole seconds since 1970. */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

let lastSecond = -1;
let lastText = '';

/** `Mon, 28 Sep 1970 06:00:00 GMT`. */
export const httpDate = (second: number): string => {
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toUTCString();
    lastSecond = second;
  }
  return lastText;
};

/** `Mon, 28-Sep-70 06:00:00 GMT`; browsers take a year of four digits beyond 2037 only. */
export const cookieDate = (second: number): string =>
  httpDate(second)
    .replace(/^(\S+) (\d+) (\S+) (\d+)/, '$1 $2-$3-$4')
    .replace(/^(.*-)(\d\d)(\d\d) /, (all, head, century, year) =>
      Number(century + year) > 2037 ? all : `${head}${year} `,
    );

const RFC_822 = /^[^,]*, *(\d{2}) ([A-Za-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2})/;
const RFC_850 = /^[^,]*, *(\d{2})-([A-Za-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2})/;
const ASCTIME = /^[^,]* ([A-Za-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})/;

const seconds = (
  year: number,
  monthName: string,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | undefined => {
  const month = MONTHS.indexOf(monthName.toLowerCase());
  if (month < 0 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(Date.UTC(year, month, day, hour, minute, second));
  // A day that the month does not have would have run over into the next one.
  return date.getUTCDate() === day ? date.getTime() / 1000 : undefined;
};

/** Reads any of the three forms of a date; undefined when it is none. */
export const parseHttpDate = (text: string): number | undefined => {
  const full = RFC_822.exec(text);
  if (full) {
    const [, day = '', month = '', year = '', hour = '', minute = '', second = ''] = full;
    return seconds(+year, month, +day, +hour, +minute, +second);
  }
  const short = RFC_850.exec(text);
  if (short) {
    const [, day = '', month = '', year = '', hour = '', minute = '', second = ''] = short;
    return seconds(+year + (+year < 70 ? 2000 : 1900), month, +day, +hour, +minute, +second);
  }
  const asctime = ASCTIME.exec(text);
  if (!asctime) return undefined;
  const [, month = '', day = '', hour = '', minute = '', second = '', year = ''] = asctime;
  return seconds(+year, month, +day, +hour, +minute, +second);
};
