//! Virtual file system of SQLite over the platform's own, which asks the [`Disk`] of a file before each call.
//! Files that are on none pass through.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use libsqlite3_sys as ffi;

use crate::disk::{Call, Disk};

/// A file as SQLite sees it; the platform's own follows behind it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    /// From a `Box`; null where the file is on no disk of ours.
    on: *mut On,
}

struct On {
    disk: Arc<Disk>,
    name: String,
}

/// The platform's file system, by its address.
static REAL: OnceLock<usize> = OnceLock::new();

/// Makes it the file system of every connection that is opened from now on.
pub fn register() {
    REAL.get_or_init(|| {
        // SAFETY: SQLite's default file system lives as long as the process, and so does the leaked copy.
        unsafe {
            let real = ffi::sqlite3_vfs_find(std::ptr::null());
            assert!(!real.is_null(), "the platform has a file system");
            let mut ours: ffi::sqlite3_vfs = std::ptr::read(real);
            ours.zName = c"failing".as_ptr();
            ours.szOsFile += size_of::<File>() as c_int;
            ours.pNext = std::ptr::null_mut();
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            let code = ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 1);
            assert_eq!(code, ffi::SQLITE_OK, "it is taken");
            real as usize
        }
    });
}

fn real_vfs() -> *mut ffi::sqlite3_vfs {
    *REAL.get().expect("it is registered before it is called") as *mut ffi::sqlite3_vfs
}

/// The platform's file behind ours.
///
/// # Safety
/// The file was opened by [`open`].
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` asks for the room of both.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

/// # Safety
/// The file was opened by [`open`].
unsafe fn on<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a On> {
    // SAFETY: it lives until the file is closed.
    unsafe { (*file.cast::<File>()).on.as_ref() }
}

unsafe fn place(path: *const c_char) -> Option<On> {
    if path.is_null() {
        return None;
    }
    // SAFETY: SQLite's names end with a zero.
    let path = Path::new(std::ffi::OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
    let disk = Disk::of(path)?;
    Some(On { disk, name: path.file_name()?.to_str()?.to_owned() })
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: the arguments are SQLite's, and go to the platform's own as they came.
    unsafe {
        let ours = file.cast::<File>();
        (*ours).base.pMethods = std::ptr::null();
        (*ours).on = std::ptr::null_mut();
        (*real(file)).pMethods = std::ptr::null();
        let open = || ((*real_vfs()).xOpen.expect("it opens"))(real_vfs(), path, real(file), flags, out);
        let code = match place(path) {
            Some(on) => {
                let code = on.disk.clone().opens(&on.name.clone(), open);
                if code == ffi::SQLITE_OK {
                    (*ours).on = Box::into_raw(Box::new(on));
                }
                code
            }
            None => open(),
        };
        if code == ffi::SQLITE_OK {
            (*ours).base.pMethods = &raw const METHODS;
        } else if let Some(methods) = (*real(file)).pMethods.as_ref() {
            // One that fails may still want to be closed.
            (methods.xClose.expect("it closes"))(real(file));
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, path: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let delete = || ((*real_vfs()).xDelete.expect("it deletes"))(real_vfs(), path, sync_folder);
        match place(path) {
            Some(on) => on.disk.deletes(&on.name, sync_folder != 0, delete),
            None => delete(),
        }
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: it was opened, and is closed once.
    unsafe {
        let code = ((*(*real(file)).pMethods).xClose.expect("it closes"))(real(file));
        let on = std::mem::replace(&mut (*file.cast::<File>()).on, std::ptr::null_mut());
        if !on.is_null() {
            Box::from_raw(on).disk.closed();
        }
        code
    }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, to: *mut c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let read = || ((*(*real(file)).pMethods).xRead.expect("it reads"))(real(file), to, count, at);
        on(file).map_or_else(read, |on| on.disk.passes(Call::Read, read))
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    count: c_int,
    at: i64,
) -> c_int {
    // SAFETY: as in `open`; `from` has `count` bytes.
    unsafe {
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), count as usize);
        match on(file) {
            Some(on) => on.disk.writes(&on.name, bytes, at as usize, |part| put(file, part, at)),
            None => put(file, bytes, at),
        }
    }
}

/// # Safety
/// The file was opened by [`open`].
unsafe fn put(file: *mut ffi::sqlite3_file, bytes: &[u8], at: i64) -> c_int {
    // SAFETY: the bytes live until it returns.
    unsafe {
        let write = (*(*real(file)).pMethods).xWrite.expect("it writes");
        write(real(file), bytes.as_ptr().cast(), bytes.len() as c_int, at)
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let truncate = || ((*(*real(file)).pMethods).xTruncate.expect("it truncates"))(real(file), length);
        on(file).map_or_else(truncate, |on| on.disk.truncates(&on.name, length as usize, truncate))
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let sync = || ((*(*real(file)).pMethods).xSync.expect("it syncs"))(real(file), flags);
        match on(file) {
            Some(on) => on.disk.syncs(&on.name, sync, |bytes, at| put(file, bytes, at as i64)),
            None => sync(),
        }
    }
}

unsafe extern "C" fn map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let map =
            || ((*(*real(file)).pMethods).xShmMap.expect("it maps"))(real(file), page, size, extend, out);
        on(file).map_or_else(map, |on| on.disk.passes(Call::Map, map))
    }
}

/// Methods that are the platform's.
macro_rules! forward {
    ($($name:ident -> $method:ident($($arg:ident: $type:ty),*) $result:ty;)*) => {
        $(unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($arg: $type),*) -> $result {
            // SAFETY: as in `open`.
            unsafe { ((*(*real(file)).pMethods).$method.expect("the platform has it"))(real(file), $($arg),*) }
        })*
    };
}

forward! {
    file_size -> xFileSize(size: *mut i64) c_int;
    lock -> xLock(level: c_int) c_int;
    unlock -> xUnlock(level: c_int) c_int;
    check_reserved -> xCheckReservedLock(out: *mut c_int) c_int;
    control -> xFileControl(what: c_int, argument: *mut c_void) c_int;
    sector_size -> xSectorSize() c_int;
    characteristics -> xDeviceCharacteristics() c_int;
    shm_lock -> xShmLock(offset: c_int, count: c_int, flags: c_int) c_int;
    shm_barrier -> xShmBarrier() ();
    shm_unmap -> xShmUnmap(delete: c_int) c_int;
}

/// Of the second version: files are not mapped into memory.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
