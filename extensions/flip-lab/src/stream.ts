/** Server-sent events over `fetch`, so that the request carries what Jupyter Server asks of every other. */

export interface Told {
  event: string;
  data: string;
}

/** Takes text as it arrives and gives whole events; what is not whole yet is kept. */
export class Parser {
  private rest = "";

  take(text: string): Told[] {
    const blocks = (this.rest + text).split(/\r?\n\r?\n/);
    this.rest = blocks.pop() ?? "";
    return blocks.map(parsed).filter(told => told !== undefined);
  }
}

function parsed(block: string): Told | undefined {
  const told: Told = { event: "message", data: "" };
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) told.event = line.slice(6).trim();
    if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length > 0 ? { ...told, data: data.join("\n") } : undefined;
}

export interface Following {
  /** Opens the stream anew. */
  open: (signal: AbortSignal) => Promise<Response>;
  tell: (told: Told) => void;
  /** The stream is not there: why, in words. It is opened again after a pause. */
  away: (words: string) => void;
  sleep?: (milliseconds: number) => Promise<void>;
  signal: AbortSignal;
}

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/** Follow a stream until the signal: opened again when it breaks, after pauses that grow. */
export async function follow({ open, tell, away, signal, sleep = wait }: Following): Promise<void> {
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      await read(await open(signal), told => {
        pause = FIRST_PAUSE;
        tell(told);
      });
      if (!signal.aborted) away("The workspace closed the line.");
    } catch (error) {
      if (signal.aborted) return;
      away(error instanceof Error ? error.message : String(error));
    }
    await sleep(pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

async function read(response: Response, tell: (told: Told) => void): Promise<void> {
  if (!response.ok || response.body === null) throw new Error(`The workspace answers ${response.status}.`);
  const parser = new Parser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    for (const told of parser.take(piece.value)) tell(told);
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}
