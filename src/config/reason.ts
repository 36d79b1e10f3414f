/**
 * A mistake in a value, in nginx's words, from code that does not know where the value stands.
 * The loader turns it into a ConfError at the statement that is being read.
 */
export class Reason extends Error {
  override readonly name = 'Reason';
}
