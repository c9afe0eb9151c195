/** The page's first message to the engine's worker. */
export interface EngineStart {
  /** Carries the calls, and keeps those that come before the engine is there. */
  port: MessagePort;
  /** What to ask for before the engine's script is there. */
  requests: readonly ModelRequest[];
}

/** A request for a file of a bundled model. */
export interface ModelRequest {
  /** Below the folder of the bundled models. */
  path: string;
  init: Pick<RequestInit, 'cache' | 'headers'>;
}
