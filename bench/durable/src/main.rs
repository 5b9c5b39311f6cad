//! `durable FOLDER`: what the disk under a folder gives, as one line of JSON. Each case runs for a second.
//!
//! `fdatasync_per_s`: 1 KB appended to a file and synced, one after the other. `sqlite_per_s`: rows of 1 KB in a table with
//! one key, WAL and `synchronous=FULL`, 32 in a transaction.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(1);
const BATCH: u64 = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: durable FOLDER")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let body = [b'x'; 1024];

    let mut file = File::create(folder.join("appended"))?;
    let syncs = per_second(1, || Ok(file.write_all(&body).and_then(|()| file.sync_data())?))?;

    let mut database = rusqlite::Connection::open(folder.join("rows.db"))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute_batch("CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT, at INTEGER, body BLOB)")?;
    let rows = per_second(BATCH, || {
        let transaction = database.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO rows (name, at, body) VALUES ('f', 0, ?1)")?;
            (0..BATCH).try_for_each(|_| insert.execute([&body]).map(drop))?;
        }
        Ok(transaction.commit()?)
    })?;

    println!("{{\"fdatasync_per_s\":{syncs:.0},\"sqlite_per_s\":{rows:.0}}}");
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn per_second(each: u64, mut step: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let (begun, mut done) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        step()?;
        done += each;
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}
