/** One attempt at one peer, for the $upstream_* variables and the logs. */

/** Times in ms; -1 while not known. */
export class Attempt {
  connectTime = -1;
  headerTime = -1;
  responseTime = -1;
  /** 0 while the peer has not answered. */
  status = 0;
  /** Bytes of the reply behind its head, as they came: chunks' and records' own among them. */
  length = 0;
  received = 0;
  sent = 0;

  constructor(
    /** The peer's name, the group's when there was no peer; '' marks the border to the attempts of an earlier upstream. */
    public peer: string,
  ) {}
}
