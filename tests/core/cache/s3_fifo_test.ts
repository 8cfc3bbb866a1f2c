import { assert } from "@std/assert";
import { compare } from "../../../scripts/cache_policy.ts";

Deno.test("S3-FIFO answers more than LRU on Zipf traces, most with scans", () => {
  const trace = {
    objects: 10_000,
    skew: 0.9,
    requests: 100_000,
    capacity: 0.05,
  };
  const plain = compare({ ...trace, scans: 0 });
  assert(plain.s3fifo > plain.lru + 0.02, JSON.stringify(plain));
  const scanned = compare({ ...trace, scans: 0.3 });
  assert(scanned.s3fifo > scanned.lru + 0.04, JSON.stringify(scanned));
});
