-- idempotency: an answer that carried an ETag carries it again when the request is repeated.
ALTER TABLE app.idempotency ADD COLUMN etag text CHECK (octet_length(etag) <= 64);
