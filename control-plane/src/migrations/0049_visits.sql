-- operators: one visit of a tenant at a time, asked for or going on.
CREATE UNIQUE INDEX impersonations_one_open ON app.impersonations (tenant_id)
    WHERE ended_at IS NULL AND allowed IS NOT FALSE;
CREATE INDEX impersonations_by_time ON app.impersonations (tenant_id, asked_at);
