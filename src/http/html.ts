/** Text in HTML. */
const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' };

/** Escapes text for its place between tags or in a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[<>&"]/g, (c) => ENTITIES[c] ?? c);
