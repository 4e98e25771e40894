-- When the person themselves last proved who they are in a session: by their own password or factor, never by the word of a
-- company's provider, which reaches no further than the company.
ALTER TABLE app.sessions ADD COLUMN own_proof_at timestamptz;
