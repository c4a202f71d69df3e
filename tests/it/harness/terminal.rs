//! A terminal from the program's point of view: 100 columns wide, without a user.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    thread::{self, JoinHandle},
};

use rustix::{
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// The task that copies the output of a terminal until the last program there has ended.
pub(crate) struct Terminal {
    copying: JoinHandle<()>,
}

impl Terminal {
    /// A terminal whose content goes to `printed`, and the end of it that a program is given.
    pub(crate) fn open(mut printed: File) -> (Self, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let end = ioctl_tiocgptpeer(&master, flags).unwrap();
        let mut master = File::from(master);
        let copying = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error says that nobody has the other end any more.
            while let Ok(read @ 1..) = master.read(&mut bytes) {
                printed.write_all(&bytes[..read]).unwrap();
            }
        });
        (Self { copying }, end)
    }

    /// Waits until everything is copied.
    pub(crate) fn close(self) {
        self.copying.join().unwrap();
    }
}
