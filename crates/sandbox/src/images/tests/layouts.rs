//! Images on this machine: which is meant, what becomes of it, and what is kept.

use super::Made::File;
use super::*;

/// A sample with two layers, of which the second takes something away.
fn sample() -> Sample {
    let lower = tar_of(&[File("bootstrap", "#!/bin/sh"), File("etc/gone", "1")]);
    Sample::of_tars(&[lower, tar_of(&[File("etc/.wh.gone", ""), File("app", "code")])])
}

/// Resolves, pulls and shows what an environment would get.
fn root(images: &Images, uri: &str) -> Result<(Image, Root), Error> {
    run(async {
        let held = images.resolve(uri).await?;
        images.pull(&held.image).await?;
        let root = images.root(&held.image, &ImageConfig::default()).await;
        Ok((held.image.clone(), root.map_err(|error| error.of(uri))?))
    })
}

fn reason(images: &Images, uri: &str) -> (ImageProblem, String) {
    refused(root(images, uri))
}

fn shown(root: &Root) -> Vec<Vec<String>> {
    root.layers.iter().map(|layer| tree(layer)).collect()
}

/// The files of a folder as a tar, as `oci-archive` has them.
fn archive(files: &[(String, Vec<u8>)], path: &Path) {
    let mut tar = Builder::new(fs::File::create(path).unwrap());
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap();
}

#[test]
fn a_layout_becomes_folders_bottom_to_top_and_a_program() {
    let dir = tempfile::tempdir().unwrap();
    let (layout, tarball) = (dir.path().join("layout"), dir.path().join("image.tar"));
    let sample = sample();
    sample.lay_out(&layout, Some("v1"));
    archive(&sample.files(Some("v1")), &tarball);
    for (n, place) in
        [format!("oci:{}", layout.display()), format!("oci-archive:{}", tarball.display())].iter().enumerate()
    {
        let images = images(&dir.path().join(n.to_string()));
        let (image, root) = self::root(&images, &format!("{place}:v1")).unwrap();
        assert_eq!((image.digest, &image.resolved), (sample.digest(), &format!("{place}@{}", named(sample.digest()))));
        assert_eq!(
            shown(&root),
            [vec!["bootstrap = #!/bin/sh", "etc/", "etc/gone = 1"], vec!["app = code", "etc/", "etc/gone gone 0"]]
        );
        assert_eq!(root.program.entry_point, ["/bootstrap"]);
        assert_eq!(root.program.variables, [("A".to_owned(), "1".to_owned())]);
        assert_eq!(self::root(&images, place).unwrap().1, root, "without a name");
        assert_eq!(self::root(&images, &image.resolved).unwrap().1, root, "by digest");
        let (problem, why) = reason(&images, &format!("{place}:v2"));
        assert!(problem == ImageProblem::NotFound && why.contains("but these: v1"), "{why}");
    }
}

#[test]
fn what_docker_saves_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("saved.tar");
    let layer = tar_of(&[File("app", "code")]);
    let configuration = json!({
        "architecture": ARCHITECTURE, "os": "linux", "config": { "Cmd": ["/app"] },
        "rootfs": { "diff_ids": [named(digest_of(&layer)), named(digest_of(&layer))] },
    });
    let manifest =
        json!([{ "Config": "c.json", "RepoTags": ["app:v1", "app:v2"], "Layers": ["1/layer.tar", "2/layer.tar"] }]);
    let mut tar = Builder::new(fs::File::create(&path).unwrap());
    for (name, bytes) in [
        ("c.json", configuration.to_string().into_bytes()),
        ("1/layer.tar", layer),
        ("manifest.json", manifest.to_string().into_bytes()),
    ] {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "2/layer.tar", "../1/layer.tar").unwrap();
    tar.into_inner().unwrap();
    let images = images(&dir.path().join("data"));
    for name in ["", ":app:v1", ":v2"] {
        let uri = format!("oci-archive:{}{name}", path.display());
        // A name with a colon is no name behind a path; the tag is.
        if name == ":app:v1" {
            continue;
        }
        let (_, root) = root(&images, &uri).unwrap_or_else(|error| panic!("{uri}: {error:?}"));
        assert_eq!(shown(&root), [["app = code"], ["app = code"]]);
        assert_eq!(root.program.command, ["/app"]);
    }
}

#[test]
fn an_index_is_followed_to_the_image_for_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let other = Sample::with(&[], if ARCHITECTURE == "amd64" { "arm64" } else { "amd64" }, &json!({}));
    let ours = sample();
    let entry = |sample: &Sample, os: &str, architecture: &str| {
        let mut descriptor = sample.descriptor();
        descriptor["platform"] = json!({ "os": os, "architecture": architecture });
        descriptor
    };
    let lay_out = |name: &str, manifests: Vec<Value>| {
        let folder = dir.path().join(name);
        let inner = json!({ "schemaVersion": 2, "manifests": manifests }).to_string().into_bytes();
        let outer = json!({ "schemaVersion": 2, "manifests": [{
            "mediaType": "application/vnd.oci.image.index.v1+json", "digest": named(digest_of(&inner)), "size": inner.len(),
        }] });
        ours.lay_out(&folder, None);
        other.lay_out(&folder, None);
        write(
            &folder,
            &[
                ("index.json".to_owned(), outer.to_string().into_bytes()),
                (format!("blobs/sha256/{}", digest_of(&inner).hex()), inner),
            ],
        );
        format!("oci:{}", folder.display())
    };
    let images = images(&dir.path().join("data"));
    let theirs = if ARCHITECTURE == "amd64" { "arm64" } else { "amd64" };
    let uri = lay_out(
        "both",
        vec![entry(&other, "linux", theirs), entry(&other, "unknown", "unknown"), entry(&ours, "linux", ARCHITECTURE)],
    );
    assert_eq!(root(&images, &uri).unwrap().0.digest, ours.digest());
    let uri = lay_out("other", vec![entry(&other, "linux", theirs), entry(&other, "unknown", "unknown")]);
    let (problem, why) = reason(&images, &uri);
    assert!(problem == ImageProblem::OtherArchitecture && why.contains(theirs), "{why}");
    // The index says nothing, or something wrong: the configuration decides.
    let uri = lay_out("unsaid", vec![other.descriptor()]);
    assert_eq!(reason(&images, &uri).0, ImageProblem::OtherArchitecture);
    let uri = lay_out("wrong", vec![entry(&other, "linux", ARCHITECTURE)]);
    assert_eq!(reason(&images, &uri).0, ImageProblem::OtherArchitecture);
    let uri = lay_out("nothing", vec![]);
    assert_eq!(reason(&images, &uri).0, ImageProblem::NotFound);
}

#[test]
fn what_is_no_image_for_us_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let images = images(&dir.path().join("data"));
    let good = sample();
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut manifest: Value = serde_json::from_slice(&good.manifest).unwrap();
        change(&mut manifest);
        let folder = dir.path().join(name);
        Sample { manifest: manifest.to_string().into_bytes(), ..good.clone() }.lay_out(&folder, None);
        reason(&images, &format!("oci:{}", folder.display()))
    };
    for (name, problem, words, change) in [
        ("artifact", ImageProblem::Unsupported, "application/vnd.wasm", &|m: &mut Value| {
            m["config"]["mediaType"] = "application/vnd.wasm".into();
        }),
        ("foreign", ImageProblem::Unsupported, "foreign", &|m: &mut Value| {
            m["layers"][0]["mediaType"] = "x/foreign".into();
        }),
        ("version 1", ImageProblem::Unsupported, "version 2", &|m: &mut Value| m["schemaVersion"] = 1.into()),
        ("ambiguous", ImageProblem::Broken, "both an index and an image", &|m: &mut Value| m["manifests"] = json!([])),
        ("fewer layers", ImageProblem::Broken, "how many layers", &|m: &mut Value| m["layers"] = json!([])),
        ("swapped layers", ImageProblem::Broken, "does not unpack to", &|m: &mut Value| {
            m["layers"].as_array_mut().unwrap().swap(0, 1);
        }),
        ("no layer", ImageProblem::NotFound, "no blob", &|m: &mut Value| {
            m["layers"][1]["digest"] = named(Digest([7; 32])).into();
        }),
        ("size", ImageProblem::Broken, "cannot be read", &|m: &mut Value| m["layers"][1]["size"] = 5.into()),
        ("digest", ImageProblem::Unsupported, "no SHA-256", &|m: &mut Value| m["layers"][1]["digest"] = "md5:1".into()),
        ("too many", ImageProblem::Unsupported, "128 layers", &|m: &mut Value| {
            m["layers"] = vec![m["layers"][0].clone(); 128].into();
        }),
    ] as [(&str, ImageProblem, &str, &dyn Fn(&mut Value)); 10]
    {
        let (found, why) = changed(name, change);
        assert!(found == problem && why.contains(words), "{name}: {found:?} {why}");
    }
    for (place, words) in [("oci:/no/such", "/no/such"), ("oci-archive:/no/such.tar", "No such file")] {
        let (problem, why) = reason(&images, place);
        assert!(problem == ImageProblem::NotFound && why.contains(words), "{place}: {why}");
    }
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(reason(&images, &format!("oci:{}", empty.display())).1.contains("neither index.json nor manifest.json"));
    let file = dir.path().join("file");
    fs::write(&file, gzip(b"x")).unwrap();
    assert!(reason(&images, &format!("oci:{}", file.display())).1.contains("oci-archive"));
    assert!(reason(&images, &format!("oci-archive:{}", file.display())).1.contains("gunzip"));
    assert!(reason(&images, &format!("oci-archive:{}", empty.display())).1.contains("oci:"));
    // A blob that is not what its name says, where documents and where layers are concerned.
    for at in 0..3 {
        let folder = dir.path().join(format!("damaged {at}").replace(' ', "-"));
        good.lay_out(&folder, None);
        fs::write(folder.join("blobs/sha256").join(digest_of(&good.blobs[at]).hex()), gzip(b"other")).unwrap();
        let images = self::images(&dir.path().join(format!("data-{at}")));
        assert_eq!(reason(&images, &format!("oci:{}", folder.display())).0, ImageProblem::Broken, "blob {at}");
        let kept = fs::read_dir(dir.path().join(format!("data-{at}/images/layers/sha256"))).unwrap().count();
        assert_eq!(
            (kept, fs::read_dir(dir.path().join(format!("data-{at}/images/tmp"))).unwrap().count()),
            (at % 2, 0)
        );
    }
}

#[test]
fn what_was_pulled_stays_when_its_source_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (data, layout) = (dir.path().join("data"), dir.path().join("layout"));
    sample().lay_out(&layout, None);
    let uri = format!("oci:{}", layout.display());
    let (image, before) = root(&images(&data), &uri).unwrap();
    fs::remove_dir_all(&layout).unwrap();
    // Also for the next engine, which sweeps what was half made.
    fs::create_dir_all(data.join("images/tmp/7/tree")).unwrap();
    let next = images(&data);
    assert_eq!(run(next.root(&image, &ImageConfig::default())).unwrap(), before);
    run(next.sweep()).unwrap();
    let mut left: Vec<_> = fs::read_dir(data.join("images")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["documents", "layers", "tmp"]);
    assert_eq!(fs::read_dir(data.join("images/tmp")).unwrap().count(), 0);
    assert_eq!(reason(&next, &uri).0, ImageProblem::NotFound);
}

#[test]
fn what_nothing_uses_goes_and_what_is_held_stays() {
    let dir = tempfile::tempdir().unwrap();
    let images = images(&dir.path().join("data"));
    let shared = tar_of(&[File("shared", "1")]);
    let samples = ["a", "b"].map(|name| Sample::of_tars(&[shared.clone(), tar_of(&[File(name, name)])]));
    let held = [0, 1].map(|at| {
        let folder = dir.path().join(at.to_string());
        samples[at].lay_out(&folder, None);
        let held = run(images.resolve(&format!("oci:{}", folder.display()))).unwrap();
        run(images.pull(&held.image)).unwrap();
        held
    });
    let count = || {
        let count = |folder: &str| fs::read_dir(dir.path().join("data/images").join(folder)).unwrap().count();
        (count("documents"), count("layers/sha256"))
    };
    let retain = |used: Vec<Digest>| run(async { images.retain(used).await.unwrap().await.unwrap() });
    assert_eq!(count(), (4, 3));
    retain(Vec::new());
    assert_eq!(count(), (4, 3), "both are held");
    let [a, b] = held;
    let b_digest = b.image.digest;
    drop((a, b));
    retain(vec![b_digest]);
    assert_eq!(count(), (2, 2));
    retain(Vec::new());
    assert_eq!(count(), (0, 0));
}
