//! The statements of the fleet. Each is prepared against a real database by a test.

pub(super) const REGISTER_CA: &str =
    "INSERT INTO platform.device_ca (certificate, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

pub(super) const DEVICE_CA: &str = "SELECT certificate FROM platform.device_ca";

pub(super) const FIND_CLAIM: &str = "SELECT tenant_id, claim_id FROM app.claims WHERE secret_hash = $1 LIMIT 1";

pub(super) const INSERT_CLAIM: &str =
    "INSERT INTO claims (tenant_id, claim_id, shop_id, role, secret_hash, created_by, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const OPEN_CLAIMS: &str =
    "SELECT count(*) FROM claims WHERE tenant_id = $1 AND shop_id = $2 AND used_at IS NULL AND expires_at > $3";

pub(super) const END_CLAIMS: &str =
    "UPDATE claims SET expires_at = $2 WHERE tenant_id = $1 AND used_at IS NULL AND expires_at > $2";

pub(super) const CONSUME_CLAIM: &str = "UPDATE claims SET used_at = $3, node_id = $4
     WHERE tenant_id = $1 AND claim_id = $2 AND used_at IS NULL AND expires_at > $3
     RETURNING shop_id, role";

pub(super) const CLAIM_USER: &str =
    "SELECT node_id, expires_at > $3 FROM claims WHERE tenant_id = $1 AND claim_id = $2";

pub(super) const NODE_OF_KEY: &str = "SELECT n.shop_id, n.name, n.term FROM nodes n
     WHERE n.tenant_id = $1 AND n.node_id = $2 AND n.retired_at IS NULL
       AND EXISTS (SELECT FROM node_certificates c
                   WHERE c.tenant_id = n.tenant_id AND c.node_id = n.node_id AND c.term = n.term
                     AND c.public_key = $3 AND c.revoked_at IS NULL)";

pub(super) const INSERT_NODE: &str = "INSERT INTO nodes (tenant_id, node_id, shop_id, name, role, term, enrolled_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";

pub(super) const INSERT_TERM: &str = "INSERT INTO node_terms (tenant_id, node_id, term, reason, claim_id, granted_at)
     VALUES ($1, $2, $3, 'enrolment', $4, $5)";

pub(super) const INSERT_CERTIFICATE: &str = "INSERT INTO node_certificates
         (tenant_id, fingerprint, node_id, term, serial, public_key, not_before, not_after)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const SHOP_CA: &str =
    "SELECT certificate, sealed_key FROM shop_authorities WHERE tenant_id = $1 AND shop_id = $2";

pub(super) const INSERT_SHOP_CA: &str =
    "INSERT INTO shop_authorities (tenant_id, shop_id, certificate, sealed_key, created_at)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";

pub(super) const CERTIFICATE: &str = "SELECT c.term, n.term, c.revoked_at IS NOT NULL, n.retired_at IS NOT NULL,
            t.closed_at IS NOT NULL
     FROM node_certificates c JOIN nodes n ON n.tenant_id = c.tenant_id AND n.node_id = c.node_id
     JOIN tenants t ON t.tenant_id = c.tenant_id
     WHERE c.tenant_id = $1 AND c.fingerprint = $2 AND c.node_id = $3 AND n.shop_id = $4";

/// Of each certificate asked about: whether it is in force no longer.
pub(super) const FALLEN: &str = "SELECT NOT EXISTS (
         SELECT FROM node_certificates c JOIN nodes n ON n.tenant_id = c.tenant_id AND n.node_id = c.node_id
         JOIN tenants t ON t.tenant_id = c.tenant_id AND t.closed_at IS NULL
         WHERE c.tenant_id = $1 AND c.fingerprint = f.fingerprint AND c.revoked_at IS NULL
           AND n.retired_at IS NULL AND n.term = c.term)
     FROM unnest($2::bytea[]) WITH ORDINALITY AS f (fingerprint, place) ORDER BY f.place";

pub(super) const PUBLIC_KEYS: &str = "SELECT public_key, fingerprint FROM node_certificates
     WHERE tenant_id = $1 AND node_id = $2 AND term = $3 AND revoked_at IS NULL ORDER BY not_before DESC LIMIT 8";

pub(super) const SEEN: &str =
    "INSERT INTO node_contacts AS c (tenant_id, node_id, last_seen_at, connected_at, agent_version, boot_nonce,
                                     carrier, address, clock_skew_millis)
     VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (tenant_id, node_id) DO UPDATE SET
         last_seen_at = greatest(c.last_seen_at, excluded.last_seen_at),
         connected_at = CASE WHEN $9 THEN excluded.connected_at ELSE c.connected_at END,
         agent_version = excluded.agent_version, boot_nonce = excluded.boot_nonce, carrier = excluded.carrier,
         address = excluded.address, clock_skew_millis = excluded.clock_skew_millis";

/// A newer position replaces; the same position with the same hash renews the time; with another hash the first
/// stands and the contradiction is counted; an older one changes nothing.
pub(super) const CHECKPOINT: &str = "INSERT INTO node_checkpoints AS c
         (tenant_id, node_id, term, stream, seq, head_hash, at, signature, fingerprint, received_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (tenant_id, node_id, term, stream) DO UPDATE SET
         contradictions = c.contradictions
             + CASE WHEN excluded.seq = c.seq AND excluded.head_hash <> c.head_hash THEN 1 ELSE 0 END,
         (seq, head_hash, at, signature, fingerprint, received_at) = (
             SELECT newest.seq, newest.head_hash, newest.at, newest.signature, newest.fingerprint, newest.received_at
             FROM (VALUES
                 (1, c.seq, c.head_hash, c.at, c.signature, c.fingerprint, c.received_at),
                 (2, excluded.seq, excluded.head_hash, excluded.at, excluded.signature, excluded.fingerprint,
                  excluded.received_at)
             ) AS newest (place, seq, head_hash, at, signature, fingerprint, received_at)
             WHERE newest.place = CASE WHEN excluded.seq > c.seq
                                         OR (excluded.seq = c.seq AND excluded.head_hash = c.head_hash)
                                       THEN 2 ELSE 1 END)
     RETURNING seq, head_hash";

pub(super) const SWORN: &str = "SELECT t.node_id, t.term, c.seq, c.head_hash, c.at, c.contradictions
     FROM nodes n
     JOIN node_terms t ON t.tenant_id = n.tenant_id AND t.node_id = n.node_id
     LEFT JOIN node_checkpoints c
         ON c.tenant_id = t.tenant_id AND c.node_id = t.node_id AND c.term = t.term AND c.stream = $3
     WHERE n.tenant_id = $1 AND n.shop_id = $2
     ORDER BY t.node_id, t.term";

pub(super) const NODES: &str =
    "SELECT n.node_id, n.shop_id, n.name, n.role, n.term, n.enrolled_at, c.last_seen_at, c.agent_version, c.carrier,
            c.clock_skew_millis,
            (SELECT max(k.not_after) FROM node_certificates k
             WHERE k.tenant_id = n.tenant_id AND k.node_id = n.node_id AND k.term = n.term AND k.revoked_at IS NULL)
     FROM nodes n
     LEFT JOIN node_contacts c ON c.tenant_id = n.tenant_id AND c.node_id = n.node_id
     WHERE n.tenant_id = $1 AND n.retired_at IS NULL AND ($2::uuid IS NULL OR n.shop_id = $2)
       AND ($3::uuid IS NULL OR n.node_id > $3)
     ORDER BY n.node_id LIMIT $4";

pub(super) const POSITIONS: &str = "SELECT node_id, stream, term, seq, at, contradictions FROM node_checkpoints
     WHERE tenant_id = $1 AND node_id = ANY($2) ORDER BY node_id, stream, term";

pub(super) const SWORN_LOGS: &str =
    "SELECT t.node_id, t.term, n.shop_id, n.name, t.term = n.term AND n.retired_at IS NULL, c.seq, c.head_hash, c.at,
            c.contradictions
     FROM nodes n
     JOIN node_terms t ON t.tenant_id = n.tenant_id AND t.node_id = n.node_id
     LEFT JOIN node_checkpoints c
         ON c.tenant_id = t.tenant_id AND c.node_id = t.node_id AND c.term = t.term AND c.stream = $3
     WHERE n.tenant_id = $1 AND ($2::uuid IS NULL OR n.shop_id = $2)
     ORDER BY t.node_id, t.term LIMIT $4";

pub(super) const NODE: &str = "SELECT n.shop_id, c.address, c.connected_at
     FROM nodes n LEFT JOIN node_contacts c ON c.tenant_id = n.tenant_id AND c.node_id = n.node_id
     WHERE n.tenant_id = $1 AND n.node_id = $2 AND n.retired_at IS NULL";

/// Written only when the node says something new; a node that fleet does not know is not written down.
pub(super) const HOLDS: &str = "INSERT INTO node_collections AS h (tenant_id, node_id, collection, version, said_at)
     SELECT n.tenant_id, n.node_id, $3, $4, $5 FROM nodes n WHERE n.tenant_id = $1 AND n.node_id = $2
     ON CONFLICT (tenant_id, node_id, collection) DO UPDATE SET version = excluded.version, said_at = excluded.said_at
     WHERE h.version <> excluded.version";

pub(super) const HELD: &str = "SELECT node_id, version, said_at FROM node_collections
     WHERE tenant_id = $1 AND collection = $2 ORDER BY node_id LIMIT $3";

/// Every statement, by name and by the role that runs it.
#[cfg(test)]
pub(in crate::domain::fleet) const ALL: &[(&str, &str)] = &[
    ("platform", REGISTER_CA),
    ("platform", DEVICE_CA),
    ("platform", FIND_CLAIM),
    ("app", INSERT_CLAIM),
    ("app", OPEN_CLAIMS),
    ("app", END_CLAIMS),
    ("app", CONSUME_CLAIM),
    ("app", CLAIM_USER),
    ("app", NODE_OF_KEY),
    ("app", INSERT_NODE),
    ("app", INSERT_TERM),
    ("app", INSERT_CERTIFICATE),
    ("app", SHOP_CA),
    ("app", INSERT_SHOP_CA),
    ("app", CERTIFICATE),
    ("app", FALLEN),
    ("app", PUBLIC_KEYS),
    ("app", SEEN),
    ("app", CHECKPOINT),
    ("app", SWORN),
    ("app", NODES),
    ("app", POSITIONS),
    ("app", SWORN_LOGS),
    ("app", NODE),
    ("app", HOLDS),
    ("app", HELD),
];
