// Serves in so many processes on one port; prints its address when all of them serve, ends with its input.
import cluster from "node:cluster";
import { createServer } from "node:http";

export async function serve(handler) {
  const wanted = Number(process.env.WORKERS ?? "1");
  if (cluster.isPrimary) {
    let listening = 0;
    cluster.on("listening", (_, address) => {
      listening += 1;
      if (listening === wanted) console.log(`http://127.0.0.1:${address.port}`);
    });
    cluster.on("exit", () => process.exit(1));
    for (let worker = 0; worker < wanted; worker += 1) cluster.fork();
    process.stdin.resume();
    process.stdin.on("end", () => process.exit(0));
    return;
  }
  // Port 0 is one port for all workers of a cluster.
  createServer(await handler()).listen(0, "127.0.0.1");
}
