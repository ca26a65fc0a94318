//! What every wallet command starts from: the network file and this device's directory.

use std::path::PathBuf;

use trefoil::Trefoil;
use trefoil::device::FileDeviceStore;

use crate::app::AppFile;
use crate::failure::Failure;
use crate::ui::Ui;

#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) ui: Ui,
    network: Option<PathBuf>,
    device_dir: Option<PathBuf>,
}

impl Setup {
    pub(crate) const fn new(ui: Ui, network: Option<PathBuf>, device_dir: Option<PathBuf>) -> Self {
        Self {
            ui,
            network,
            device_dir,
        }
    }

    pub(crate) fn app(&self) -> Result<AppFile, Failure> {
        let path = self.network.as_ref().ok_or_else(|| {
            Failure::usage("name the network file: --network FILE or TREFOIL_NETWORK; `trefoil serve dev` writes one")
        })?;
        AppFile::read(path)
    }

    pub(crate) fn devices(&self) -> Result<FileDeviceStore, Failure> {
        let directory = match &self.device_dir {
            Some(directory) => directory.clone(),
            None => default_directory().ok_or_else(|| {
                Failure::usage(
                    "name a directory for this device: --device-dir DIR or TREFOIL_DEVICE_DIR",
                )
            })?,
        };
        Ok(FileDeviceStore::in_directory(&directory))
    }

    pub(crate) fn trefoil(&self, app: &AppFile) -> Result<Trefoil, Failure> {
        Ok(app.builder().device_store(self.devices()?).build()?)
    }
}

/// Where the XDG base directory specification puts it.
fn default_directory() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from);
    let home = || {
        std::env::var_os("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from)
    };
    data.or_else(|| Some(home()?.join(".local/share")))
        .map(|data| data.join("trefoil"))
}
