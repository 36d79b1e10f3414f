/** Text that OpenSSL writes about its objects. */
import { BIO_INFO, copyOf, openssl, pointerIn } from './openssl.ts';

/** What `write` writes, one character a byte. */
export const written = (write: (bio: number) => void): string => {
  const library = openssl();
  const bio = library.BIO_new(library.BIO_s_mem());
  write(bio);
  const pointer = Buffer.alloc(8);
  const length = library.BIO_ctrl_bytes(bio, BIO_INFO, 0, pointer);
  const text = copyOf(pointerIn(pointer), length).toString('latin1');
  library.BIO_free(bio);
  return text;
};

/** `Feb  3 00:55:52 2015 GMT`. */
export const textOfTime = (time: number): string => written((bio) => openssl().ASN1_TIME_print(bio, time));
