//! Mutants of the policies: each one dropped, and each half of it loosened, at run time. The probe must notice every one;
//! a policy that nothing tests could be taken away by mistake.

use sqlx::{AssertSqlSafe, Executor};

use super::Planted;

/// A policy that was taken away or loosened.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The table in schema app.
    pub table: String,
    /// What was done, such as `tenant: dropped`.
    pub what: String,
    /// The first thing the probe said; none: it went unseen.
    pub noticed: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Known {
    table: String,
    name: String,
    drop: String,
    create: String,
    loosen: Vec<String>,
}

/// Every policy with the statements that take it away, bring it back and loosen each half of it.
const POLICIES: &str = "
    SELECT c.relname::text AS table, p.polname::text AS name,
           format('DROP POLICY %I ON app.%I', p.polname, c.relname) AS drop,
           format('DROP POLICY IF EXISTS %1$I ON app.%2$I; CREATE POLICY %1$I ON app.%2$I AS %3$s FOR %4$s TO %5$s USING (%6$s)',
                  p.polname, c.relname, CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                  CASE p.polcmd WHEN '*' THEN 'ALL' ELSE 'SELECT' END,
                  (SELECT string_agg(r::regrole::text, ', ') FROM unnest(p.polroles) r),
                  pg_get_expr(p.polqual, p.polrelid))
               || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') AS create,
           CASE WHEN p.polname = 'platform' THEN '{}'::text[] ELSE ARRAY[
               format('ALTER POLICY %I ON app.%I USING (true)', p.polname, c.relname),
               format('ALTER POLICY %I ON app.%I WITH CHECK (true)', p.polname, c.relname)] END AS loosen
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
    WHERE c.relnamespace = 'app'::regnamespace AND NOT c.relispartition
    ORDER BY 1, 2";

/// Every mutant, or the first `few` of each kind, with what the probe said to it. The policies are as before afterwards.
///
/// # Errors
/// Whatever the database met.
pub async fn mutants(planted: &mut Planted, few: Option<usize>) -> Result<Vec<Mutant>, sqlx::Error> {
    let policies: Vec<Known> = sqlx::query_as(POLICIES).fetch_all(&mut planted.admin).await?;
    let mut made: Vec<(String, String, String, String)> = Vec::new();
    for policy in &policies {
        let mut ways = vec![("dropped", policy.drop.clone())];
        ways.extend(["open to read", "open to write"].into_iter().zip(policy.loosen.iter().cloned()));
        for (how, sql) in ways {
            made.push((policy.table.clone(), format!("{}: {how}", policy.name), sql, policy.create.clone()));
        }
    }
    let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let mut tried = Vec::new();
    for (table, what, break_it, mend_it) in made {
        let of_kind = seen.entry(what.clone()).or_default();
        *of_kind += 1;
        if few.is_some_and(|few| *of_kind > few) {
            continue;
        }
        planted.admin.execute(AssertSqlSafe(break_it)).await?;
        let noticed = planted.probe(Some(&table)).await;
        planted.admin.execute(AssertSqlSafe(mend_it)).await?;
        let noticed = noticed?.breaches.into_iter().next();
        tried.push(Mutant { table, what, noticed });
    }
    Ok(tried)
}
