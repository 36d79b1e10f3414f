/** The phases by number, in nginx's order; where a request stands is one of these. */
export const POST_READ = 0;
export const SERVER_REWRITE = 1;
export const FIND_CONFIG = 2;
export const REWRITE = 3;
export const POST_REWRITE = 4;
export const PREACCESS = 5;
export const ACCESS = 6;
export const PRECONTENT = 7;
export const CONTENT = 8;
