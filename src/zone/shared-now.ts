/** Milliseconds on a clock that all processes of the machine share and that never goes back. */
export const sharedNow = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + Math.floor(nanoseconds / 1e6);
};
