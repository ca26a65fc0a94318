// The incumbent's work for one signed write and one read, with the libraries that it uses: Express 4 with its middleware, Joi,
// elliptic, knex, MySQL's protocol, a cache in Redis. Written for this comparison after tkey's wire format; in its favour it has
// one worker for each processor, an index on `key`, no error reporting service and no socket.io.

import cluster from "node:cluster";
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";

import { celebrate, errors, Joi, Segments } from "celebrate";
import compression from "compression";
import cors from "cors";
import elliptic from "elliptic";
import express from "express";
import helmet from "helmet";
import sha3 from "js-sha3";
import stringify from "json-stable-stringify";
import knex from "knex";
import { createClient } from "redis";

const { DATABASE_SOCKET, CACHE_SOCKET } = process.env;
const WORKERS = availableParallelism();
const CACHED_SECONDS = 90;
const SIGNED_WITHIN_SECONDS = 600;

const connect = () =>
  knex({
    client: "mysql2",
    connection: { socketPath: DATABASE_SOCKET, user: "root", database: "metadata" },
    pool: { min: 0, max: 10 },
  });

if (cluster.isPrimary) {
  const database = connect();
  await database.schema.createTable("tkey", (table) => {
    table.increments("id");
    table.timestamp("created_at").notNullable().defaultTo(database.fn.now());
    table.timestamp("updated_at").notNullable().defaultTo(database.fn.now());
    table.string("key", 255).notNullable().index();
    table.text("value", "mediumtext").notNullable();
  });
  await database.destroy();
  let listening = 0;
  cluster.on("listening", (_, { port }) => {
    listening += 1;
    if (listening === WORKERS) console.log(JSON.stringify({ port }));
  });
  // Without its database or its cache a worker is of no use, nor is what it would be compared with.
  cluster.on("exit", () => process.exit(1));
  for (let worker = 0; worker < WORKERS; worker += 1) cluster.fork();
} else {
  await serve();
}

async function serve() {
  const database = connect();
  const cache = createClient({ socket: { path: CACHE_SOCKET } });
  // At the end it is killed with the rest; before, its absence shows in the figures.
  cache.on("error", () => process.exit(1));
  await cache.connect();
  const curve = new elliptic.ec("secp256k1");

  const placeOf = ({ pub_key_X, pub_key_Y, namespace }) => [pub_key_X, pub_key_Y, namespace].join("\x1c");

  function isSigned({ pub_key_X, pub_key_Y, set_data, signature }) {
    const key = curve.keyFromPublic({ x: pub_key_X, y: pub_key_Y }, "hex");
    const bytes = Buffer.from(signature, "base64");
    const parts = { r: bytes.subarray(0, 32), s: bytes.subarray(32, 64) };
    return curve.verify(sha3.keccak256(stringify(set_data)), parts, key);
  }

  const coordinate = Joi.string().max(64).hex().required();
  const named = { namespace: Joi.string().max(128).required(), pub_key_X: coordinate, pub_key_Y: coordinate };
  const signed = {
    ...named,
    set_data: Joi.object({ data: Joi.string().required(), timestamp: Joi.string().hex().required() }).required(),
    signature: Joi.string().max(88).required(),
  };

  const app = express();
  app.disable("x-powered-by");
  app.use(compression(), cors({ origin: true, credentials: true, maxAge: 86400 }), helmet());
  app.use(express.urlencoded({ extended: false, limit: "20mb" }), express.json({ limit: "20mb" }));

  app.post("/get", celebrate({ [Segments.BODY]: Joi.object(named) }), async (request, response) => {
    const key = placeOf(request.body);
    let value = await cache.get(key);
    if (value === null) {
      const row = await database("tkey").where({ key }).orderBy("created_at", "desc").orderBy("id", "desc").first();
      value = row?.value ?? "";
    }
    response.json({ message: value });
  });

  app.post("/set", celebrate({ [Segments.BODY]: Joi.object(signed) }), async (request, response) => {
    const { set_data } = request.body;
    if (Date.now() / 1000 - Number.parseInt(set_data.timestamp, 16) > SIGNED_WITHIN_SECONDS) {
      return response.status(403).json({ error: { timestamp: "signed too long ago" }, success: false });
    }
    if (!isSigned(request.body)) {
      return response.status(403).json({ error: { signature: "Invalid signature" }, success: false });
    }
    const [key, value] = [placeOf(request.body), set_data.data];
    await database("tkey").insert({ key, value });
    await cache.setEx(key, CACHED_SECONDS, value);
    const hash = createHash("sha256").update(JSON.stringify([{ key, value }])).digest("hex");
    return response.json({ message: [hash] });
  });

  app.get("/health", (_, response) => response.send("Ok!"));
  app.use(errors());
  app.listen(0, "127.0.0.1");
}
