/** What a request needs of a client's HTTP/1 connection while it is answered: its body, and the way for its reply. */
import { UNABLE } from '../../platform/send-file.ts';
import { endOutput } from '../finalize.ts';
import { type Data, LAST, OWNED } from '../output.ts';
import { runPhases } from '../phases.ts';
import type { BodyReader } from '../read-body.ts';
import type { Request, Stream, Tunnel } from '../request.ts';
import { BodyIntake, type BodyOwner } from './body-intake.ts';
import { ClientIdentity } from './client-identity.ts';
import { ReplyWriter, type WriterOwner } from './reply-writer.ts';

export abstract class ClientStream extends ClientIdentity implements Stream, BodyOwner, WriterOwner {
  /** Requests on the connection so far, the present one included. */
  requests = 0;
  /** A limited rate holds the reply back. */
  throttled = false;
  protected readonly body = new BodyIntake(this);
  protected readonly writer = new ReplyWriter(this);

  abstract readonly broken: boolean;
  abstract finish(request: Request): void;
  abstract abort(request: Request): void;
  abstract upgrade(request: Request, tunnel: Tunnel): void;
  abstract tunnelWrite(bytes: Uint8Array): boolean;

  abstract readonly readsRest: boolean;
  abstract cameBehind(bytes: Buffer, from: number, to: number): void;
  abstract close(): void;
  abstract next(request: Request): void;
  abstract sendingTimedOut(request: Request): void;

  runPhases(request: Request): void {
    runPhases(request);
  }

  // ---- the body

  readBody(reader: BodyReader): void {
    this.body.read(reader);
  }

  pauseBody(): void {
    this.connection.pause();
  }

  resumeBody(): void {
    this.connection.resume();
  }

  // ---- the reply

  get sent(): number {
    return this.writer.sent;
  }

  get headLength(): number {
    return this.writer.headLength;
  }

  get congested(): boolean {
    return this.throttled || this.writer.congested;
  }

  writeHead(request: Request): void {
    this.writer.writeHead(request);
  }

  writeInterim(_request: Request, status: string, lines: readonly string[]): void {
    this.writer.writeInterim(status, lines);
  }

  writeText(request: Request, text: string): void {
    if (request.headerOnly || request.chunkedOut || this.broken) {
      this.write(request, Buffer.from(text, 'latin1'), LAST | OWNED);
      return;
    }
    this.writer.writeText(request, text);
    request.outputDone = true;
  }

  write(request: Request, bytes: Data, flags: number): void {
    if (this.broken) return;
    this.writer.write(request, bytes, flags);
    if ((flags & LAST) !== 0) endOutput(request);
  }

  sendFile(request: Request, file: number, position: number, count: number): number {
    if (this.broken || request.chunkedOut || request.headerOnly) return UNABLE;
    return this.writer.sendFile(request, file, position, count);
  }

  writeAndWait(request: Request, bytes: Data): void {
    if (!this.broken) this.writer.writeAndWait(request, bytes);
  }
}
