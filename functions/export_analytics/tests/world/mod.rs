//! What the program is started in.

use std::{io::Read as _, process::Stdio};

use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Full};
use nova_store::migrate::Migrator;
use nova_testkit::{
    bigquery::BigQuery,
    cloudsql::CloudSql,
    objects::{self, Action, ObjectStore},
    postgres::{Database, Postgres},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use time::{Date, Duration, OffsetDateTime};
use tokio::process::{Child, Command};

pub(crate) const SALT: &str = "a salt that nobody knows";
const BUCKET: &str = "nova-files";
const LOGIN: &str = "export_analytics";

pub(crate) struct World {
    pub(crate) bigquery: BigQuery,
    pub(crate) objects: ObjectStore,
    database: Database,
    google: CloudSql,
    today: Date,
}

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) answer: String,
    pub(crate) log: String,
}

/// What a run says that it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exported {
    pub(crate) loaded: u64,
    pub(crate) rows: u64,
    pub(crate) unchanged: u64,
    pub(crate) failed: u64,
}

impl Exported {
    pub(crate) fn loaded(loaded: u64, rows: u64) -> Self {
        Self {
            loaded,
            rows,
            ..Self::default()
        }
    }

    pub(crate) fn unchanged(unchanged: u64) -> Self {
        Self {
            unchanged,
            ..Self::default()
        }
    }
}

impl Ended {
    pub(crate) fn summary(&self) -> Exported {
        let lines = self.log.lines();
        let mut lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let last = lines.rfind(|line| line["message"] == "exported");
        let last = last.unwrap_or_else(|| panic!("it does not say what it did: {}", self.log));
        let number = |name: &str| last[name].as_u64().unwrap();
        Exported {
            loaded: number("loaded"),
            rows: number("rows"),
            unchanged: number("unchanged"),
            failed: number("failed"),
        }
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let prepare = async |url: String| {
            Migrator::new(url.parse()?).up(None).await?;
            let pool = PgPool::connect(&url).await?;
            let login = format!("CREATE ROLE {LOGIN} LOGIN IN ROLE nova_analytics");
            sqlx::query(AssertSqlSafe(login)).execute(&pool).await?;
            Ok(())
        };
        let postgres = Postgres::shared().await;
        let objects = ObjectStore::start(objects::Config::default())
            .await
            .unwrap();
        let bigquery = BigQuery::start("acme", "nova_analytics", "europe-west1", objects.clone());
        Self {
            bigquery: bigquery.await.unwrap(),
            objects,
            database: postgres.database("export", prepare).await,
            google: CloudSql::start().await.unwrap(),
            today: OffsetDateTime::now_utc().date(),
        }
    }

    pub(crate) async fn sql(&self, statement: &str) {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
        statement.execute(&self.database.pool()).await.unwrap();
    }

    /// Calls of two users on a day, every other second of its morning.
    pub(crate) async fn calls(&self, days_ago: i64, count: u32) {
        let day = self.day(days_ago);
        self.sql(&format!(
            "INSERT INTO tool_call_usage (id, user_id, tool_name, year_month, created_at, article_id)
             SELECT gen_random_uuid(), (ARRAY['alice@example.com', 'bob'])[n % 2 + 1], 'extract_guidelines_urls',
                    to_char(date '{day}', 'YYYY-MM'), timestamptz '{day} 06:00Z' + n * interval '2.000001 s', gen_random_uuid()
               FROM generate_series(1, {count}) n"
        ))
        .await;
    }

    pub(crate) fn day(&self, days_ago: i64) -> Date {
        self.today - Duration::days(days_ago)
    }

    pub(crate) fn command(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_export_analytics"));
        command
            .args(arguments)
            .env_clear()
            .env("DATABASE_URL", self.database.url_as(LOGIN))
            .env("GCE_METADATA_HOST", self.google.metadata_host())
            .env("STORAGE_EMULATOR_HOST", &self.objects.url)
            .env("BLOB_BUCKET", BUCKET)
            .env("BQ_DATASET_ID", "nova_analytics")
            .env("GOOGLE_CLOUD_PROJECT", "acme")
            .env("BIGQUERY_BASE_URL", self.bigquery.url())
            .env("USER_ID_SALT", SALT)
            .env("LOG_FORMAT", "json")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(&[], arguments).spawn().unwrap()
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(&[], arguments).await
    }

    /// With other settings; an empty one is none.
    pub(crate) async fn run_with(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let output = self.command(settings, arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended {
            code: output.status.code().unwrap(),
            answer: text(output.stdout),
            log: text(output.stderr),
        }
    }

    /// Which days were loaded, how many days ago, in the order in which it was asked for.
    pub(crate) fn loaded_days(&self) -> Vec<i64> {
        let days_ago = |day: &str| (0..99).find(|ago| compact(self.day(*ago)) == day).unwrap();
        self.bigquery
            .jobs()
            .iter()
            .map(|job| days_ago(&job.day))
            .collect()
    }

    pub(crate) fn rows(&self, days_ago: i64) -> Vec<Value> {
        self.bigquery
            .rows("tool_call_usage", &compact(self.day(days_ago)))
    }

    /// The partition has the rows of the day, but for who called.
    pub(crate) async fn assert_is_a_copy(&self, days_ago: i64) {
        let day = self.day(days_ago);
        let query = format!(
            "SELECT id::text, tool_name, year_month, article_id::text, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at
               FROM tool_call_usage WHERE (created_at AT TIME ZONE 'UTC')::date = date '{day}' ORDER BY created_at, id"
        );
        let rows = sqlx::query(AssertSqlSafe(query));
        let rows = rows.fetch_all(&self.database.pool()).await.unwrap();
        let loaded = self.rows(days_ago);
        assert_eq!(loaded.len(), rows.len(), "{day}");
        for (row, loaded) in rows.iter().zip(&loaded) {
            for (column, name) in [
                (0, "id"),
                (1, "tool_name"),
                (2, "year_month"),
                (3, "article_id"),
            ] {
                assert_eq!(row.get::<&str, _>(column), loaded[name], "{name}");
            }
            // Digits that say nothing are left out.
            let at = loaded["created_at"].as_str().unwrap().trim_end_matches('Z');
            assert!(row.get::<&str, _>(4).starts_with(at), "{at}");
        }
    }

    pub(crate) fn object(&self, days_ago: i64) -> objects::Object {
        let name = export_analytics::file_name(self.day(days_ago));
        let mut objects = self.objects.objects(BUCKET).into_iter();
        objects.find(|object| object.name == name).unwrap()
    }

    /// How often a file was put into the bucket.
    pub(crate) fn uploads(&self) -> usize {
        self.objects.count(Action::UploadMultipart)
    }

    /// All that is in the bucket, unpacked, and its names.
    pub(crate) async fn everything_in_the_bucket(&self) -> String {
        let mut all = String::new();
        for object in self.objects.objects(BUCKET) {
            let name = object.name.replace('/', "%2F").replace('=', "%3D");
            let url = format!("/storage/v1/b/{BUCKET}/o/{name}?alt=media");
            let request = http::Request::get(url).body(Full::<bytes::Bytes>::default());
            let answer = self.objects.handle(request.unwrap()).await.unwrap();
            let content = answer.into_body().collect().await.unwrap().to_bytes();
            GzDecoder::new(&*content).read_to_string(&mut all).unwrap();
            all.push_str(&object.name);
        }
        all
    }
}

fn compact(day: Date) -> String {
    day.to_string().replace('-', "")
}
