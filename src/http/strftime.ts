/** strftime of the C library, in its C locale. */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY_MS = 86_400_000;

const pad = (value: number, width = 2, fill = '0'): string => String(value).padStart(width, fill);

/** `CET`, where the system's zone has a name that is an abbreviation. */
const zoneName = (date: Date): string =>
  new Intl.DateTimeFormat('en', { timeZoneName: 'short' })
    .formatToParts(date)
    .find(({ type }) => type === 'timeZoneName')?.value ?? '';

const zoneOffset = (minutes: number): string =>
  `${minutes < 0 ? '-' : '+'}${pad(Math.floor(Math.abs(minutes) / 60))}${pad(Math.abs(minutes) % 60)}`;

/** The week of ISO 8601 and the year that it belongs to; `shown` is the time as UTC fields. */
const isoWeek = (shown: Date): { readonly year: number; readonly week: number } => {
  const thursday = new Date(shown.getTime() + (3 - ((shown.getUTCDay() + 6) % 7)) * DAY_MS);
  const year = thursday.getUTCFullYear();
  return { year, week: Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / DAY_MS / 7) + 1 };
};

/** `seconds` since the epoch as `format` says, in the local zone or in GMT. */
export const strftime = (format: string, seconds: number, gmt: boolean): string => {
  const date = new Date(seconds * 1000);
  const offset = gmt ? 0 : -date.getTimezoneOffset();
  // The fields of the zone's time, read as if it were UTC.
  const shown = new Date(date.getTime() + offset * 60_000);
  const year = shown.getUTCFullYear();
  const month = shown.getUTCMonth();
  const weekday = shown.getUTCDay();
  const hours = shown.getUTCHours();
  const yearDay = Math.floor((Date.UTC(year, month, shown.getUTCDate()) - Date.UTC(year, 0, 1)) / DAY_MS);
  const field = (letter: string): string | undefined => {
    switch (letter) {
      case 'a':
        return DAYS[weekday]?.slice(0, 3);
      case 'A':
        return DAYS[weekday];
      case 'b':
      case 'h':
        return MONTHS[month]?.slice(0, 3);
      case 'B':
        return MONTHS[month];
      case 'c':
        return all('a b e H:M:S Y');
      case 'C':
        return pad(Math.floor(year / 100));
      case 'd':
        return pad(shown.getUTCDate());
      case 'D':
      case 'x':
        return all('m/d/y');
      case 'e':
        return pad(shown.getUTCDate(), 2, ' ');
      case 'F':
        return all('Y-m-d');
      case 'g':
        return pad(isoWeek(shown).year % 100);
      case 'G':
        return String(isoWeek(shown).year);
      case 'H':
        return pad(hours);
      case 'I':
        return pad(hours % 12 || 12);
      case 'j':
        return pad(yearDay + 1, 3);
      case 'k':
        return pad(hours, 2, ' ');
      case 'l':
        return pad(hours % 12 || 12, 2, ' ');
      case 'm':
        return pad(month + 1);
      case 'M':
        return pad(shown.getUTCMinutes());
      case 'n':
        return '\n';
      case 'p':
        return hours < 12 ? 'AM' : 'PM';
      case 'P':
        return hours < 12 ? 'am' : 'pm';
      case 'r':
        return all('I:M:S p');
      case 'R':
        return all('H:M');
      case 's':
        return String(seconds);
      case 'S':
        return pad(shown.getUTCSeconds());
      case 't':
        return '\t';
      case 'T':
      case 'X':
        return all('H:M:S');
      case 'u':
        return String(weekday || 7);
      case 'U':
        return pad(Math.floor((yearDay + 7 - weekday) / 7));
      case 'V':
        return pad(isoWeek(shown).week);
      case 'w':
        return String(weekday);
      case 'W':
        return pad(Math.floor((yearDay + 7 - ((weekday + 6) % 7)) / 7));
      case 'y':
        return pad(year % 100);
      case 'Y':
        return String(year);
      case 'z':
        return zoneOffset(offset);
      case 'Z':
        return gmt ? 'GMT' : zoneName(date);
      case '%':
        return '%';
      default:
        return undefined;
    }
  };
  const all = (letters: string): string => letters.replace(/[A-Za-z]/g, (letter) => field(letter) ?? letter);
  return format.replace(/%[EO]?([A-Za-z%])/g, (whole, letter: string) => field(letter) ?? whole);
};
