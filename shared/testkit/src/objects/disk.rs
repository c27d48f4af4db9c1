//! Where the objects lie, and what survives a crash.
//!
//! ```text
//! objects/<bucket>/<encoded name>.<generation>   the bytes
//! objects/<bucket>/<encoded name>.json           what is known about them; names the generation that counts
//! arriving/<uuid>                                uploads under way; emptied at every start
//! ```
//!
//! Bytes are written to `arriving`, synced and renamed into place; then the `.json` is replaced the same way,
//! and that rename is the moment at which the object exists (or is another). A crash before it leaves a file
//! that the next start removes. Deleting removes the `.json` first. The index in memory is what the `.json`
//! files say, and nothing more. A store that is thrown away has no `.json` files, and small objects in memory.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::SystemTime;

use anyhow::Context as _;
use bytes::Bytes;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::answer::{Failed, Refusal};
use super::name::{check_bucket, check_object, file_name};
use super::object::Object;
use super::request::Conditions;

/// Objects up to this size are read and written whole, in one trip to the disk instead of several.
const SMALL_BYTES: usize = 1024 * 1024;
/// Objects up to this size are read where they are asked for: the system has them in its memory, and to
/// wake another thread takes longer.
const TINY_BYTES: u64 = 64 * 1024;

type Index = BTreeMap<String, BTreeMap<String, Arc<Object>>>;

pub(super) struct Disk {
    root: PathBuf,
    /// Whether to wait for the disk, and keep the folder.
    durable: bool,
    makes_buckets: bool,
    index: RwLock<Index>,
    /// The bytes of small objects that have no file, by generation.
    held: Mutex<HashMap<i64, Bytes>>,
    /// Held while files and index change together. What it guards is the last generation given out.
    changing: Mutex<i64>,
}

/// What an uploader says about an object.
#[derive(Clone, Debug, Default)]
pub(super) struct NewObject {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) metadata: BTreeMap<String, String>,
}

impl Disk {
    pub(super) async fn open(
        directory: Option<PathBuf>,
        buckets: Option<Vec<String>>,
    ) -> anyhow::Result<Self> {
        tokio::task::spawn_blocking(move || Self::open_blocking(directory, buckets.as_deref()))
            .await?
    }

    fn open_blocking(
        directory: Option<PathBuf>,
        buckets: Option<&[String]>,
    ) -> anyhow::Result<Self> {
        let durable = directory.is_some();
        let root = directory.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("nova-objects-{}", uuid::Uuid::now_v7()))
        });
        let arriving = root.join("arriving");
        let at = || format!("the object store cannot use {}", root.display());
        if arriving.exists() {
            fs::remove_dir_all(&arriving).with_context(at)?;
        }
        fs::create_dir_all(&arriving).with_context(at)?;
        fs::create_dir_all(root.join("objects")).with_context(at)?;
        let mut index = load(&root.join("objects")).with_context(at)?;
        for bucket in buckets.into_iter().flatten() {
            if let Err(refusal) = check_bucket(bucket) {
                anyhow::bail!(refusal.message);
            }
            index.entry(bucket.clone()).or_default();
        }
        let last_generation = index
            .values()
            .flat_map(BTreeMap::values)
            .map(|object| object.generation)
            .max();
        Ok(Self {
            root,
            durable,
            makes_buckets: buckets.is_none(),
            index: RwLock::new(index),
            held: Mutex::default(),
            changing: Mutex::new(last_generation.unwrap_or(0)),
        })
    }

    /// Refuses a bucket that is not there, except where any bucket may be written to: there it is just empty.
    pub(super) fn check_bucket(&self, bucket: &str) -> Result<(), Refusal> {
        if self.makes_buckets || self.read(|index| index.contains_key(bucket)) {
            Ok(())
        } else {
            Err(Refusal::no_bucket(bucket))
        }
    }

    pub(super) fn list(&self, bucket: &str) -> Vec<Object> {
        self.read(|index| {
            let objects = index.get(bucket).into_iter().flat_map(BTreeMap::values);
            objects.map(|object| Object::clone(object)).collect()
        })
    }

    /// At most `limit` objects whose names begin with `prefix` and come after `after`.
    pub(super) fn page(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Arc<Object>> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let from = after
            .filter(|after| *after >= prefix)
            .map_or(Included(prefix), Excluded);
        self.read(|index| {
            let objects = index.get(bucket).into_iter();
            objects
                .flat_map(|objects| objects.range::<str, _>((from, Unbounded)))
                .take_while(|(name, _)| name.starts_with(prefix))
                .take(limit)
                .map(|(_, object)| Arc::clone(object))
                .collect()
        })
    }

    pub(super) fn find(&self, bucket: &str, name: &str) -> Option<Arc<Object>> {
        self.read(|index| index.get(bucket)?.get(name).cloned())
    }

    /// The object and its bytes. Once opened they stay readable, whatever happens to the object.
    pub(super) async fn read_object(
        self: &Arc<Self>,
        bucket: &str,
        name: &str,
    ) -> Result<(Arc<Object>, Content), Failed> {
        let missing = || Refusal::no_object(bucket, name);
        loop {
            let object = self.find(bucket, name).ok_or_else(missing)?;
            let path = self.path(&object);
            let held = self.held().get(&object.generation).cloned();
            let content = if let Some(held) = held {
                Ok(Content::Whole(held))
            } else if object.size <= TINY_BYTES {
                fs::read(path).map(|it| Content::Whole(it.into()))
            } else if object.size <= SMALL_BYTES as u64 {
                tokio::fs::read(path)
                    .await
                    .map(|it| Content::Whole(it.into()))
            } else {
                File::open(path).await.map(Content::File)
            };
            match content {
                Ok(content) => return Ok((object, content)),
                // It was replaced or deleted between the two lines above; look again.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && self.find(bucket, name) != Some(object) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A place for bytes that are about to come.
    pub(super) fn receive(&self) -> Arriving {
        let path = self
            .root
            .join("arriving")
            .join(uuid::Uuid::now_v7().to_string());
        Arriving {
            path,
            place: Place::Memory(Vec::new()),
            on_disk: false,
            size: 0,
            crc32c: 0,
        }
    }

    /// Makes what arrived an object, if the conditions hold at that moment.
    pub(super) async fn keep(
        self: &Arc<Self>,
        arrived: Arriving,
        new: NewObject,
        conditions: Conditions,
    ) -> Result<Arc<Object>, Failed> {
        self.check_bucket(&new.bucket)?;
        check_object(&new.name)?;
        let arrived = arrived.close(self.durable).await?;
        // It stays in memory, and waits for nothing. But what was begun on the disk and cut off may still be
        // under way there, on another thread: that goes the longer way, behind it.
        if !self.durable && !arrived.on_disk {
            return self.keep_blocking(&arrived, new, conditions);
        }
        let disk = Arc::clone(self);
        // On a thread of its own, so that a request that is dropped cannot leave it half done.
        let kept =
            tokio::task::spawn_blocking(move || disk.keep_blocking(&arrived, new, conditions));
        kept.await.map_err(io::Error::other)?
    }

    fn keep_blocking(
        &self,
        arrived: &Arriving,
        new: NewObject,
        conditions: Conditions,
    ) -> Result<Arc<Object>, Failed> {
        let mut last_generation = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let existing = self.find(&new.bucket, &new.name);
        conditions.check_write(existing.as_deref())?;
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let microseconds = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let object = Arc::new(Object {
            generation: microseconds.max(*last_generation + 1),
            size: arrived.size,
            crc32c: arrived.crc32c,
            created_ms: microseconds / 1000,
            bucket: new.bucket,
            name: new.name,
            content_type: new.content_type,
            metadata: new.metadata,
        });
        *last_generation = object.generation;
        let bytes = self.path(&object);
        let folder = self.folder(&object.bucket);
        fs::create_dir_all(&folder)?;
        match &arrived.place {
            // Of a store that is thrown away. A file would be most of what such a store costs, and whoever
            // measures what it serves would measure the file system.
            Place::Memory(held) if !self.durable => {
                let held = Bytes::copy_from_slice(held);
                self.held().insert(object.generation, held);
            }
            // Nobody looks for it there before the `.json` names it.
            Place::Memory(held) => self.write_whole(&bytes, held)?,
            Place::File { .. } => fs::rename(&arrived.path, &bytes)?,
        }
        // Nobody comes back to a store that is thrown away: what it knows in memory is enough.
        if self.durable {
            self.write_about(&object)?;
        }
        self.write(|index| {
            let bucket = index.entry(object.bucket.clone()).or_default();
            bucket.insert(object.name.clone(), Arc::clone(&object));
        });
        if let Some(existing) = existing {
            self.remove_bytes(&existing);
        }
        Ok(object)
    }

    /// Removes an object, if it is there in that generation and the conditions hold.
    pub(super) async fn delete(
        self: &Arc<Self>,
        bucket: String,
        name: String,
        generation: Option<i64>,
        conditions: Conditions,
    ) -> Result<(), Failed> {
        let disk = Arc::clone(self);
        let deleted = tokio::task::spawn_blocking(move || {
            let _changing = disk.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let object = disk
                .find(&bucket, &name)
                .filter(|object| generation.is_none_or(|wanted| wanted == object.generation))
                .ok_or_else(|| Refusal::no_object(&bucket, &name))?;
            conditions.check_write(Some(&object))?;
            if disk.durable {
                fs::remove_file(disk.about(&object))?;
                fs::File::open(disk.folder(&bucket))?.sync_all()?;
            }
            disk.write(|index| {
                index
                    .get_mut(&bucket)
                    .and_then(|objects| objects.remove(&name))
            });
            disk.remove_bytes(&object);
            Ok(())
        });
        deleted.await.map_err(io::Error::other)?
    }

    /// The moment from which the object is there after a crash, too.
    fn write_about(&self, object: &Object) -> io::Result<()> {
        let folder = self.folder(&object.bucket);
        let text = serde_json::to_vec(object).map_err(io::Error::other)?;
        let beside = self
            .root
            .join("arriving")
            .join(format!("{}.json", object.generation));
        self.write_whole(&beside, &text)?;
        fs::File::open(&folder)?.sync_all()?;
        fs::rename(&beside, self.about(object))?;
        fs::File::open(&folder)?.sync_all()?;
        fs::File::open(self.root.join("objects"))?.sync_all()
    }

    fn write_whole(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = fs::File::create(path)?;
        file.write_all(bytes)?;
        if self.durable {
            file.sync_all()
        } else {
            Ok(())
        }
    }

    fn remove_bytes(&self, object: &Object) {
        if self.held().remove(&object.generation).is_none() {
            fs::remove_file(self.path(object)).ok();
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<i64, Bytes>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, bucket: &str) -> PathBuf {
        self.root.join("objects").join(bucket)
    }

    fn path(&self, object: &Object) -> PathBuf {
        let file = format!("{}.{}", file_name(&object.name), object.generation);
        self.folder(&object.bucket).join(file)
    }

    fn about(&self, object: &Object) -> PathBuf {
        let file = format!("{}.json", file_name(&object.name));
        self.folder(&object.bucket).join(file)
    }

    fn read<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Index) -> T) -> T {
        change(&mut self.index.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if !self.durable {
            fs::remove_dir_all(&self.root).ok();
        }
    }
}

/// Reads every `.json`, checks that its bytes are there, and removes files that none speaks of.
fn load(objects: &Path) -> anyhow::Result<Index> {
    let mut index = Index::new();
    for bucket in fs::read_dir(objects)? {
        let bucket = bucket?;
        let mut known = BTreeMap::new();
        let mut files = Vec::new();
        for file in fs::read_dir(bucket.path())? {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                files.push(path);
                continue;
            }
            let damaged = || format!("{} is damaged", path.display());
            let object: Object = serde_json::from_slice(&fs::read(&path)?).with_context(damaged)?;
            let bytes = path.with_extension(object.generation.to_string());
            let size = fs::metadata(&bytes).with_context(damaged)?.len();
            anyhow::ensure!(
                size == object.size,
                "{} has {size} bytes, not {}",
                bytes.display(),
                object.size
            );
            known.insert(OsString::from(bytes), Arc::new(object));
        }
        for path in files {
            if !known.contains_key(path.as_os_str()) {
                fs::remove_file(path)?;
            }
        }
        let name = bucket.file_name().to_string_lossy().into_owned();
        let by_name = known
            .into_values()
            .map(|object| (object.name.clone(), object));
        index.insert(name, by_name.collect());
    }
    Ok(index)
}

/// An object's bytes.
pub(super) enum Content {
    Whole(Bytes),
    File(File),
}

/// Bytes on their way in. Dropped, they are gone.
pub(super) struct Arriving {
    /// Where the file is, once there is one.
    path: PathBuf,
    place: Place,
    /// Whether a file was begun.
    on_disk: bool,
    pub(super) size: u64,
    pub(super) crc32c: u32,
}

enum Place {
    /// As long as there are few.
    Memory(Vec<u8>),
    File {
        file: File,
        /// A write began and was not seen to end; the file may hold more than `size` says.
        in_doubt: bool,
    },
}

impl Arriving {
    /// Takes all of `bytes` or, when the caller is dropped meanwhile, none of them.
    pub(super) async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Memory(held) if held.len() + bytes.len() <= SMALL_BYTES => {
                held.extend_from_slice(bytes);
            }
            Place::Memory(held) => {
                // Whoever is dropped here comes again with the same bytes, and the same memory.
                self.on_disk = true;
                let mut file = File::create(&self.path).await?;
                file.write_all(held).await?;
                file.write_all(bytes).await?;
                file.flush().await?;
                self.place = Place::File {
                    file,
                    in_doubt: false,
                };
            }
            Place::File { file, in_doubt } => {
                if *in_doubt {
                    file.seek(io::SeekFrom::Start(self.size)).await?;
                }
                *in_doubt = true;
                file.write_all(bytes).await?;
                file.flush().await?;
                *in_doubt = false;
            }
        }
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    async fn close(mut self, durable: bool) -> io::Result<Self> {
        if let Place::File { file, .. } = &mut self.place {
            file.flush().await?;
            // A write that was cut off may have left more than counts.
            file.set_len(self.size).await?;
            if durable {
                file.sync_all().await?;
            }
        }
        Ok(self)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if self.on_disk {
            // Not there any more when it has become an object.
            fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_temporary_store_leaves_nothing_behind() {
        let disk = Arc::new(Disk::open(None, None).await.unwrap());
        let root = disk.root.clone();
        let mut arriving = disk.receive();
        arriving.append(b"x").await.unwrap();
        let new = NewObject {
            bucket: "nova".to_owned(),
            name: "x".to_owned(),
            ..NewObject::default()
        };
        disk.keep(arriving, new, Conditions::default())
            .await
            .unwrap();
        assert!(root.join("objects/nova").exists());
        drop(disk);
        assert!(!root.exists());
    }

    #[tokio::test]
    async fn what_was_cut_off_while_it_was_written_is_not_kept() {
        for first in [5, SMALL_BYTES + 5] {
            let long = vec![b'x'; SMALL_BYTES];
            // On a busy machine the disk may be done before it is looked at for the first time.
            let (disk, mut arriving) = loop {
                let disk = Arc::new(Disk::open(None, None).await.unwrap());
                let mut arriving = disk.receive();
                arriving.append(&vec![b'1'; first]).await.unwrap();
                let is_cut_off = tokio::select! {
                    biased;
                    done = arriving.append(&long) => done.is_err(),
                    () = std::future::ready(()) => true,
                };
                if is_cut_off {
                    break (disk, arriving);
                }
            };
            arriving.append(b" second").await.unwrap();
            let new = NewObject {
                bucket: "nova".to_owned(),
                name: "x".to_owned(),
                ..NewObject::default()
            };
            let kept = disk.keep(arriving, new, Conditions::default()).await;
            let object = kept.unwrap();
            let mut expected = vec![b'1'; first];
            expected.extend_from_slice(b" second");
            let (_, content) = disk.read_object("nova", "x").await.unwrap();
            let content = match content {
                Content::Whole(bytes) => bytes,
                Content::File(_) => fs::read(disk.path(&object)).unwrap().into(),
            };
            assert_eq!(content, expected);
            assert_eq!(object.size, expected.len() as u64);
            assert_eq!(object.crc32c, crc32c::crc32c(&expected));
            assert!(
                fs::read_dir(disk.root.join("arriving"))
                    .unwrap()
                    .next()
                    .is_none()
            );
        }
    }
}
