-- When the person last showed a second factor of their own in a session: a provider's word that one was shown is good for
-- its company, and not for changing the person's own factors.
ALTER TABLE app.sessions ADD COLUMN own_factor_at timestamptz;

-- Where a sign-in that is away at its provider came from, so that one address cannot take all places there are.
ALTER TABLE app.sso_flows ADD COLUMN network text NOT NULL DEFAULT '' CHECK (length(network) <= 80);
CREATE INDEX sso_flows_by_network ON app.sso_flows (tenant_id, network);
