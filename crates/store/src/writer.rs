//! The one thread that writes: it takes all that waits, commits it together, and answers only then.
//!
//! With many callers one sync serves them all, and one of them is woken, who tells the others: to wake a thread for each
//! costs more than the rest of its answer. A sync that failed is never tried again: the kernel may have dropped
//! the pages, and the second try would report success (PostgreSQL's "fsyncgate"). So after such an error the outcome
//! is unknown to those who wait, and every later call fails until the engine is started again and reads what is on disk.
//! Never here: what a row means.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use domain::Fault;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{mpsc, oneshot};

/// Writes that may wait; who comes then waits to be let in.
const WAITING_MAX: usize = 1_024;
/// Writes in one transaction.
const GROUP_MAX: usize = 1_024;
/// Bytes of documents in one transaction.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Pages in the WAL that are worth a checkpoint when nothing else is to do.
const IDLE_CHECKPOINT_PAGES: i64 = 1_000;
/// Pages in the WAL beyond which a checkpoint cannot wait. Meanwhile nothing is written, so it should be short: with 16,000
/// an event waited for a quarter of a second.
const FORCED_CHECKPOINT_PAGES: i64 = 4_000;

/// One serialisable step. Each noun has its own, beside its reading.
pub(crate) trait Step: Send + 'static {
    /// What comes of it.
    type Answer: Send + 'static;
    /// About how much it writes.
    fn bytes(&self) -> usize;
    /// Whether it is a single statement of SQL: SQLite itself undoes one that fails.
    fn is_one_statement(&self) -> bool {
        false
    }
    /// Carries it out within a transaction, which may be rolled back and never carried out again.
    fn apply(&self, connection: &Connection) -> rusqlite::Result<Self::Answer>;
}

/// A step with somebody who waits for it.
trait Write: Send {
    fn bytes(&self) -> usize;
    fn is_one_statement(&self) -> bool;
    /// Carries it out and keeps what came of it.
    fn apply(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    /// Tells what came of it, once it is on disk, or why it is not; and whether somebody still waits for it. Whoever asked
    /// may have gone; what was asked is done all the same.
    fn tell(self: Box<Self>, committed: Result<(), Fault>) -> bool;
}

struct Waited<S: Step> {
    step: S,
    done: Option<S::Answer>,
    answer: oneshot::Sender<Result<S::Answer, Fault>>,
}

impl<S: Step> Write for Waited<S> {
    fn bytes(&self) -> usize {
        self.step.bytes()
    }

    fn is_one_statement(&self) -> bool {
        self.step.is_one_statement()
    }

    fn apply(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.done = Some(self.step.apply(connection)?);
        Ok(())
    }

    fn tell(self: Box<Self>, committed: Result<(), Fault>) -> bool {
        let done = self.done.ok_or_else(|| Fault::bare("a step was committed that was not carried out"));
        self.answer.send(committed.and(done)).is_ok()
    }
}

/// What was written, or could not be written alone.
type Outcome = (Box<dyn Write>, Result<(), Fault>);

/// What is committed and not told yet. It never waits for long: one of those that it is for has been woken, and tells the
/// others when it goes on, or when it is dropped.
#[derive(Default)]
struct Untold(Mutex<Vec<Outcome>>);

impl Untold {
    fn lock(&self) -> MutexGuard<'_, Vec<Outcome>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes one of a group, who does the rest.
    fn tell_one(&self, mut results: impl Iterator<Item = Outcome>) {
        let Some((first, result)) = results.next() else { return };
        // Before it is woken, so that it finds them.
        self.lock().extend(results);
        if !first.tell(result) {
            self.tell_all();
        }
    }

    fn tell_all(&self) {
        let untold = mem::take(&mut *self.lock());
        for (write, result) in untold {
            write.tell(result);
        }
    }
}

impl fmt::Debug for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Untold").finish_non_exhaustive()
    }
}

/// Waits for an answer, and tells those of others that were committed with it.
struct Answered<'a, A> {
    answer: oneshot::Receiver<Result<A, Fault>>,
    untold: &'a Untold,
}

impl<A> Future for Answered<'_, A> {
    type Output = Result<Result<A, Fault>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.answer).poll(context);
        self.untold.tell_all();
        answer
    }
}

impl<A> Drop for Answered<'_, A> {
    fn drop(&mut self) {
        // Closed first: from here on the writer sees that nobody is woken by this answer.
        self.answer.close();
        self.untold.tell_all();
    }
}

/// The callers' side of the thread. Dropping it ends the thread when all that was let in is written.
#[derive(Debug)]
pub(crate) struct Writer {
    inbox: Option<mpsc::Sender<Box<dyn Write>>>,
    thread: Option<JoinHandle<()>>,
    /// Set once, by the thread, when the database can no longer be trusted.
    failure: Arc<OnceLock<String>>,
    untold: Arc<Untold>,
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> std::io::Result<Self> {
        let (inbox, outbox) = mpsc::channel(WAITING_MAX);
        let failure = Arc::new(OnceLock::new());
        let untold = Arc::new(Untold::default());
        let (seen, told) = (failure.clone(), untold.clone());
        let thread = thread::Builder::new().name("store-writer".into());
        let thread = thread.spawn(move || run(connection, outbox, &seen, &told))?;
        Ok(Self { inbox: Some(inbox), thread: Some(thread), failure, untold })
    }

    /// Carries out a step; it is on disk when this returns.
    pub(crate) async fn write<S: Step>(&self, step: S) -> Result<S::Answer, Fault> {
        self.check()?;
        let (answer, answered) = oneshot::channel();
        let inbox = self.inbox.as_ref().expect("taken only by drop");
        if inbox.send(Box::new(Waited { step, done: None, answer })).await.is_err() {
            return Err(self.ended());
        }
        Answered { answer: answered, untold: &self.untold }.await.unwrap_or_else(|_| Err(self.ended()))
    }

    /// Fails once the database can no longer be trusted.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        match self.failure.get() {
            None => Ok(()),
            Some(_) => Err(self.ended()),
        }
    }

    fn ended(&self) -> Fault {
        let doing = "using the store, which stopped at an earlier error and needs a restart of the engine";
        match self.failure.get() {
            Some(why) => Fault::new(doing, why.clone()),
            None => Fault::bare(doing),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.inbox.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

fn run(
    mut connection: Connection,
    mut outbox: mpsc::Receiver<Box<dyn Write>>,
    failure: &OnceLock<String>,
    untold: &Untold,
) {
    while let Some(first) = outbox.blocking_recv() {
        let mut group = gather(first, &mut outbox);
        match commit(&mut connection, &mut group) {
            Ok(results) => untold.tell_one(group.into_iter().zip(results)),
            Err(error) if is_passing(&error) && connection.is_autocommit() => {
                tracing::warn!(%error, "a write to the store was rolled back");
                let doing = "writing to the database; nothing of it was stored";
                for write in group {
                    write.tell(Err(Fault::new(doing, error.to_string())));
                }
            }
            Err(error) => {
                fail(failure, &error);
                let doing = "writing to the database; whether it was stored is known after a restart of the engine";
                for write in group {
                    write.tell(Err(Fault::new(doing, error.to_string())));
                }
                return;
            }
        }
        if let Err(error) = checkpoint(&connection, outbox.is_empty()) {
            fail(failure, &error);
            return;
        }
    }
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the write-ahead log stays beside the database until the next start");
    }
}

fn fail(failure: &OnceLock<String>, error: &rusqlite::Error) {
    tracing::error!(%error, "the store stops: the database cannot be trusted until the engine is started again");
    failure.set(error.to_string()).expect("set only here, once, before the thread ends");
}

fn gather(first: Box<dyn Write>, outbox: &mut mpsc::Receiver<Box<dyn Write>>) -> Vec<Box<dyn Write>> {
    let mut bytes = first.bytes();
    let mut group = vec![first];
    while group.len() < GROUP_MAX && bytes < GROUP_BYTES_MAX {
        let Ok(next) = outbox.try_recv() else { break };
        bytes += next.bytes();
        group.push(next);
    }
    group
}

/// One transaction around all steps, and a savepoint around each that is more than a statement: one that cannot be
/// written does not take the others with it.
fn commit(connection: &mut Connection, group: &mut [Box<dyn Write>]) -> rusqlite::Result<Vec<Result<(), Fault>>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let say = |sql: &str| transaction.prepare_cached(sql)?.execute([]).map(drop);
    let mut results = Vec::with_capacity(group.len());
    for write in group {
        let needs_savepoint = !write.is_one_statement();
        if needs_savepoint {
            say("SAVEPOINT step")?;
        }
        match write.apply(&transaction) {
            Ok(()) => results.push(Ok(())),
            Err(error) if is_its_own(&error) => {
                results.push(Err(Fault::new("writing one row", error)));
                if needs_savepoint {
                    say("ROLLBACK TO step")?;
                }
            }
            Err(error) => return Err(error),
        }
        if needs_savepoint {
            say("RELEASE step")?;
        }
    }
    transaction.commit()?;
    Ok(results)
}

/// Whether an error is about the one row and says nothing of the database.
fn is_its_own(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(code, ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch),
        None => matches!(error, rusqlite::Error::ToSqlConversionFailure(_)),
    }
}

/// Whether the transaction certainly did not happen and the next one may: no room (the frame that commits was never
/// complete, so no recovery finds it), or somebody's `sqlite3` held the lock.
fn is_passing(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn checkpoint(connection: &Connection, is_idle: bool) -> rusqlite::Result<()> {
    let (pages, done): (i64, i64) = connection
        .prepare_cached("PRAGMA wal_checkpoint(NOOP)")?
        .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
    let threshold = if is_idle { IDLE_CHECKPOINT_PAGES } else { FORCED_CHECKPOINT_PAGES };
    if pages - done < threshold {
        return Ok(());
    }
    match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        Err(error) if is_passing(&error) => {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database yet");
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    /// A row with a document of that size, as a step. Of an odd size it says that it is one statement.
    struct Insert(&'static str, usize);

    impl Step for Insert {
        type Answer = bool;

        fn bytes(&self) -> usize {
            self.1
        }

        fn is_one_statement(&self) -> bool {
            self.1 % 2 == 1
        }

        fn apply(&self, connection: &Connection) -> rusqlite::Result<bool> {
            let sql = "INSERT INTO functions VALUES (?1, 'r', 'p', 1, ?2, 1, '{}')";
            Ok(connection.execute(sql, rusqlite::params![self.0, "x".repeat(self.1)])? == 1)
        }
    }

    fn waited(step: Insert) -> Box<dyn Write> {
        Box::new(Waited { step, done: None, answer: oneshot::channel().0 })
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn the_write_ahead_log_is_folded_in_when_idle_or_when_it_is_long() {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = schema::open_for_writing(&dir.path().join("state.db")).unwrap();
        let write = |connection: &mut Connection, name: &'static str, pages: i64| {
            let bytes = usize::try_from(pages).unwrap() * 4096;
            commit(connection, &mut [waited(Insert(name, bytes))]).unwrap();
        };
        let left = |connection: &Connection| -> i64 {
            let columns = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?);
            connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], columns).unwrap()
        };
        write(&mut connection, "a", IDLE_CHECKPOINT_PAGES);
        checkpoint(&connection, false).unwrap();
        assert!(left(&connection) >= IDLE_CHECKPOINT_PAGES, "folded in although others wait");
        checkpoint(&connection, true).unwrap();
        assert_eq!(left(&connection), 0);
        write(&mut connection, "b", IDLE_CHECKPOINT_PAGES / 2);
        checkpoint(&connection, true).unwrap();
        assert!(left(&connection) > 0, "folded in although it is short");
        write(&mut connection, "c", FORCED_CHECKPOINT_PAGES);
        checkpoint(&connection, false).unwrap();
        assert_eq!(left(&connection), 0);
    }

    #[test]
    fn a_clean_end_leaves_no_write_ahead_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let writer = Writer::start(schema::open_for_writing(&path).unwrap()).unwrap();
        assert!(runtime().block_on(writer.write(Insert("f", 2))).unwrap());
        let wal = dir.path().join("state.db-wal");
        assert!(std::fs::metadata(&wal).unwrap().len() > 0);
        drop(writer);
        assert_eq!(std::fs::metadata(&wal).map_or(0, |found| found.len()), 0);
    }

    /// Somebody who waits for the insertion of a row that was committed.
    fn answered<'a>(untold: &'a Untold, group: &mut Vec<Outcome>) -> Answered<'a, bool> {
        let (answer, receiver) = oneshot::channel();
        group.push((Box::new(Waited { step: Insert("f", 2), done: Some(true), answer }), Ok(())));
        Answered { answer: receiver, untold }
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(std::sync::atomic::AtomicU32);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[test]
    fn of_those_that_were_committed_together_one_is_woken_and_tells_the_others() {
        let (untold, mut group) = (Untold::default(), Vec::new());
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(answered(&untold, &mut group))).collect();
        let woken: Vec<_> = (0..3).map(|_| Arc::<Woken>::default()).collect();
        let times = || woken.iter().map(|woken| woken.0.load(std::sync::atomic::Ordering::Relaxed)).collect::<Vec<_>>();
        let wakers: Vec<std::task::Waker> = woken.iter().cloned().map(Into::into).collect();
        for (waits, waker) in waiting.iter_mut().zip(&wakers) {
            assert!(waits.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        untold.tell_one(group.into_iter());
        assert_eq!(times(), [1, 0, 0]);
        assert!(waiting[0].as_mut().poll(&mut Context::from_waker(&wakers[0])).is_ready());
        assert_eq!(times(), [1, 1, 1]);
        assert!(waiting[2].as_mut().poll(&mut Context::from_waker(&wakers[2])).is_ready());
    }

    #[test]
    fn who_leaves_keeps_no_answer_from_the_others() {
        // One has left before it is told, another after.
        for leaves_before in [true, false] {
            let (untold, mut group) = (Untold::default(), Vec::new());
            let leaves = Box::pin(answered(&untold, &mut group));
            let mut stays = Box::pin(answered(&untold, &mut group));
            let mut context = Context::from_waker(std::task::Waker::noop());
            assert!(stays.as_mut().poll(&mut context).is_pending());
            if leaves_before {
                drop(leaves);
                untold.tell_one(group.into_iter());
            } else {
                untold.tell_one(group.into_iter());
                drop(leaves);
            }
            assert!(untold.lock().is_empty());
            assert!(stays.as_mut().poll(&mut context).is_ready());
        }
    }

    #[test]
    fn one_row_that_cannot_be_written_leaves_the_others_of_its_group_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = schema::open_for_writing(&dir.path().join("state.db")).unwrap();
        connection
            .execute_batch(
                "CREATE TRIGGER no BEFORE INSERT ON functions WHEN new.name = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END",
            )
            .unwrap();
        for (names, bytes) in [(["a", "bad", "c"], 2), (["d", "bad", "e"], 3)] {
            let mut group = names.map(|name| waited(Insert(name, bytes)));
            let results = commit(&mut connection, &mut group).unwrap();
            assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        }
        let names: String =
            connection.query_row("SELECT group_concat(name ORDER BY name) FROM functions", [], |r| r.get(0)).unwrap();
        assert_eq!(names, "a,c,d,e");
    }

    #[test]
    fn after_an_error_at_commit_every_later_call_fails_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let connection = schema::open_for_writing(&path).unwrap();
        // The nearest thing to a failing disk that SQLite itself can play: the pages are no longer a database.
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(connection);
        let connection = schema::open_for_writing(&path).unwrap();
        let bytes = std::fs::metadata(&path).unwrap().len();
        let zeros = vec![0xaa; usize::try_from(bytes).unwrap() - 4096];
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &zeros, 4096).unwrap();

        let writer = Writer::start(connection).unwrap();
        runtime().block_on(async {
            let first = writer.write(Insert("f", 2)).await.unwrap_err();
            assert!(first.chain().contains("whether it was stored is known after a restart"), "{}", first.chain());
            for _ in 0..2 {
                let later = writer.write(Insert("g", 2)).await.unwrap_err().chain();
                assert!(later.contains("needs a restart") && later.contains("malformed"), "{later}");
            }
        });
    }
}
