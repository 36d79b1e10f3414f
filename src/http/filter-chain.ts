/**
 * The sinks that a reply's body passes on its way to the client. Filters are put in by the header filters that
 * want them, which run in the order of modules/index.ts; bodies pass the filters in that same order.
 */
import type { BodyFilter, BodySink } from './output.ts';
import type { Request } from './request.ts';

/** Whether the body goes on from a sink, rather than ends in it. */
export const isFilter = (sink: BodySink): sink is BodyFilter => 'next' in sink;

/** Adds a filter behind all others that change what the body says. */
export const appendFilter = (request: Request, filter: BodyFilter): void => {
  const { lastFilter } = request;
  if (lastFilter) {
    filter.next = lastFilter.next;
    lastFilter.next = filter;
  } else {
    filter.next = request.sink;
    request.sink = filter;
  }
  request.lastFilter = filter;
};

/** Adds a filter before all others: it sees the body as its maker writes it. */
export const prependFilter = (request: Request, filter: BodyFilter): void => {
  filter.next = request.sink;
  request.sink = filter;
  request.lastFilter ??= filter;
};

/**
 * Adds the coder of the whole body (gzip), behind all filters: also those that are appended later, and the
 * replies of subrequests, which join the body before it.
 */
export const appendCoder = (request: Request, coder: BodyFilter): void => {
  const { lastFilter } = request;
  if (lastFilter) {
    coder.next = lastFilter.next;
    lastFilter.next = coder;
  } else {
    coder.next = request.sink;
    request.sink = coder;
  }
};
