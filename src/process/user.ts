/** Who a worker becomes. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Whether this process may change its user. */
export const isRoot = (): boolean => process.geteuid?.() === 0;
