/** A session's way: the phases of its server, its content. */
import { ERROR as ERROR_LEVEL } from '../log/levels.ts';
import { type Handler, PHASES } from './module.ts';
import type { Session } from './session.ts';
import { AGAIN, BAD_REQUEST, DECLINED, DONE, ERROR, INTERNAL_ERROR, OK, STATUS_OK } from './verdict.ts';

const PREREAD = PHASES.indexOf('preread');
const CONTENT = PHASES.length;

/** Goes on where the session stands. A handler that takes another server for the session answers OK. */
export const runPhases = (session: Session): void => {
  while (!session.over) {
    if (session.phase === CONTENT) {
      serve(session);
      return;
    }
    const handler = session.server.phases[session.phase]?.[session.handler];
    if (!handler) {
      nextPhase(session);
      continue;
    }
    const verdict = session.phase === PREREAD ? preread(session, handler) : handler(session);
    if (verdict === OK) nextPhase(session);
    else if (verdict === DECLINED) session.handler++;
    else if (verdict === AGAIN || verdict === DONE) return;
    else session.finalize(verdict === ERROR ? INTERNAL_ERROR : verdict);
  }
};

const nextPhase = (session: Session): void => {
  session.phase++;
  session.handler = 0;
};

/** Runs a handler on what has come of the client; while it wants more, more is read. */
const preread = (session: Session, handler: Handler): number => {
  session.action = 'prereading client data';
  session.inspected = true;
  const { preread_buffer_size: most, preread_timeout: timeout } = session.server.core;
  const { peeked } = session;
  if (peeked.length > most) session.peeked = peeked.subarray(0, most);
  const verdict = handler(session);
  session.peeked = peeked;
  if (verdict !== AGAIN) {
    session.stopReading();
    return verdict;
  }
  if (peeked.length >= most) {
    session.log(ERROR_LEVEL, 'preread buffer full');
    return BAD_REQUEST;
  }
  if (session.connection.ended) return STATUS_OK;
  session.preread(timeout);
  return AGAIN;
};

const serve = (session: Session): void => {
  session.action = '';
  const { content } = session.server;
  if (content) content(session);
  else session.finalize(INTERNAL_ERROR);
};
