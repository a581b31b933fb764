// Who asks, by the same session tokens and rules that leadyard has: looked up for every request, by hash.
import { createHash } from "node:crypto";

const SESSION = `SELECT u.role, u.buyer_id FROM session s JOIN user_account u ON u.id = s.user_id
  WHERE s.token_hash = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL`;
const STAFF = new Set(["ADMIN", "MANAGER", "FINANCE", "ANALYST"]);

export async function who(pool, authorization) {
  const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
  if (!token) return null;
  const hash = createHash("sha256").update(token).digest();
  const { rows } = await pool.query({ name: "session", text: SESSION, values: [hash] });
  const user = rows[0];
  return user ? { staff: STAFF.has(user.role), buyer: user.buyer_id } : null;
}
