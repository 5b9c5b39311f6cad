//! What the kernel makes of unpacked layers: what one takes away is gone, in both ways in which overlayfs is mounted.

use std::process::Command;

use testkit::skip;

use super::Made::{File, Folder, Link};
use super::*;

#[test]
fn the_kernel_reads_layers_as_they_were_meant() {
    const NAME: &str = "images::overlay::the_kernel_reads_layers_as_they_were_meant";
    let bottom = [
        File("bootstrap", "bottom"),
        File("etc/gone", "1"),
        File("etc/stays", "2"),
        File("opaque/a", "3"),
        File("again/a", "4"),
        File("swapped", "5"),
        Link("lib", "usr/lib"),
    ];
    let top = [
        File("bootstrap", "top"),
        File("etc/.wh.gone", ""),
        File("opaque/.wh..wh..opq", ""),
        File("opaque/b", "6"),
        File(".wh.again", ""),
        Folder("again"),
        File("again/b", "7"),
        Folder("swapped"),
        File("swapped/c", "8"),
    ];
    let (_below, bottom) = unpack_tar(&tar_of(&bottom)).unwrap();
    let (_above, top) = unpack_tar(&tar_of(&top)).unwrap();
    let target = tempfile::tempdir().unwrap();
    for options in ["ro", "ro,userxattr"] {
        let script = r#"mount -t overlay overlay -o "$1,lowerdir=$2:$3" "$4" && cd "$4" && find . -mindepth 1 | sort && cat bootstrap"#;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", options]);
        let output = command.args([&top, &bottom, target.path()]).output();
        let output = match output {
            Ok(output) if output.status.success() => output,
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                skip::without_kernel(&format!("{NAME} ({options})"), &why);
                continue;
            }
            Err(error) => return skip::without_kernel(NAME, &error.to_string()),
        };
        let shown = String::from_utf8(output.stdout).unwrap();
        let expected =
            "./again ./again/b ./bootstrap ./etc ./etc/stays ./lib ./opaque ./opaque/b ./swapped ./swapped/c top";
        assert_eq!(shown.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{options}");
    }
}
