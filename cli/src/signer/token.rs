//! `pkcs11:` keys: PKCS #11 3.0 tokens, such as smart cards, HSMs and SoftHSM.

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use keys::{Algorithm, Pkcs11Uri, PublicKey};
use sha2::{Digest as _, Sha256};

use super::PIN_VARIABLE;
use crate::exit::{CliError, Context as _, Exit};
use crate::keyfile;

/// The token's library, if the URI does not name it.
const MODULE_VARIABLE: &str = "STREEMBIT_PKCS11_MODULE";

/// One key in an opened token.
#[derive(Debug)]
pub(super) struct Token {
    name: String,
    session: Session,
    uri: Pkcs11Uri,
}

impl Token {
    /// Opens the token without a PIN: public objects can be read.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub(super) fn look(uri: &Pkcs11Uri) -> Result<Self, CliError> {
        let name = format!("pkcs11:{}", uri.as_str());
        let module = module(uri)?;
        let library = Pkcs11::new(&module).context(Exit::Key, module.display())?;
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another key of this program is in a token of the same library.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(error).context(Exit::Key, module.display()),
        }
        let slot = slot(&library, uri, &name)?;
        let session = library.open_ro_session(slot).context(Exit::Key, &name)?;
        Ok(Self {
            name,
            session,
            uri: uri.clone(),
        })
    }

    /// Opens the token and logs in.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub(super) fn open(uri: &Pkcs11Uri) -> Result<Self, CliError> {
        let token = Self::look(uri)?;
        let prompt = format!("PIN of {}", token.name);
        let source = uri.pin_source.as_deref().map(Path::new);
        let pin = keyfile::secret(PIN_VARIABLE, source, &prompt)?;
        let pin = AuthPin::new(pin.as_str().into());
        match token.session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(token),
            Err(error) => Err(error)
                .context(Exit::Key, &token.name)
                .map_err(|error| error.hint("check the PIN before the token locks itself")),
        }
    }

    /// The public half, from the public object or the key itself.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`] if there is none, several, or one of another kind.
    pub(super) fn public(&self) -> Result<PublicKey, CliError> {
        let object = self.object(ObjectClass::PUBLIC_KEY)?;
        let wanted = [AttributeType::KeyType, AttributeType::EcPoint];
        let attributes = self.session.get_attributes(object, &wanted);
        let (mut kind, mut point) = (None, None);
        for attribute in attributes.context(Exit::Key, &self.name)? {
            match attribute {
                Attribute::KeyType(value) => kind = Some(value),
                Attribute::EcPoint(value) => point = Some(value),
                _ => {}
            }
        }
        let point = point.unwrap_or_default();
        // An OCTET STRING around the point (PKCS #11 3.0 section 2.3.3), which some tokens leave out.
        let bare = match point.as_slice() {
            [4, length, rest @ ..] if usize::from(*length) == rest.len() => rest,
            other => other,
        };
        let key = match kind {
            Some(KeyType::EC) => PublicKey::from_p256_sec1(bare),
            Some(KeyType::EC_EDWARDS) => PublicKey::from_ed25519(bare),
            _ => Err(keys::KeyError::Unsupported),
        };
        key.context(Exit::Key, &self.name)
            .map_err(|error| error.hint("the key must be EC P-256 or Ed25519"))
    }

    /// Asks for a signature; it is not verified here.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub(super) fn sign(&self, public: &PublicKey, message: &[u8]) -> Result<Vec<u8>, CliError> {
        let object = self.object(ObjectClass::PRIVATE_KEY)?;
        let signed = match public.algorithm() {
            Algorithm::P256 => {
                let digest = Sha256::digest(message);
                self.session.sign(&Mechanism::Ecdsa, object, &digest)
            }
            Algorithm::Ed25519 => {
                let scheme = EddsaParams::new(EddsaSignatureScheme::Ed25519);
                self.session
                    .sign(&Mechanism::Eddsa(scheme), object, message)
            }
        };
        signed.context(Exit::Key, &self.name)
    }

    /// The one object of a class that the URI names.
    fn object(&self, class: ObjectClass) -> Result<ObjectHandle, CliError> {
        let mut template = vec![Attribute::Class(class)];
        let label = self.uri.object.as_ref();
        template.extend(label.map(|label| Attribute::Label(label.clone().into_bytes())));
        template.extend(self.uri.id.clone().map(Attribute::Id));
        let found = self.session.find_objects(&template);
        match found.context(Exit::Key, &self.name)?.as_slice() {
            [object] => Ok(*object),
            found => {
                let message = format!("{}: {} keys fit, not one", self.name, found.len());
                Err(CliError::new(Exit::Key, message).hint("name it by object= and id="))
            }
        }
    }
}

fn module(uri: &Pkcs11Uri) -> Result<PathBuf, CliError> {
    if let Some(path) = &uri.module_path {
        return Ok(path.into());
    }
    let variable = std::env::var_os(MODULE_VARIABLE).map(PathBuf::from);
    variable.ok_or_else(|| {
        CliError::new(Exit::Key, "pkcs11: no library of the token is named").hint(format!(
            "?module-path=… in the URI, or set {MODULE_VARIABLE}"
        ))
    })
}

/// The one slot whose token the URI names.
fn slot(library: &Pkcs11, uri: &Pkcs11Uri, name: &str) -> Result<Slot, CliError> {
    let mut fitting = Vec::new();
    let slots = library.get_slots_with_initialized_token();
    for slot in slots.context(Exit::Key, name)? {
        let info = library.get_token_info(slot).context(Exit::Key, name)?;
        let is = |wanted: &Option<String>, actual: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted == actual.trim_end())
        };
        if is(&uri.token, info.label()) && is(&uri.serial, info.serial_number()) {
            fitting.push(slot);
        }
    }
    match fitting.as_slice() {
        [slot] => Ok(*slot),
        found => {
            let message = format!("{name}: {} tokens fit, not one", found.len());
            Err(CliError::new(Exit::Key, message).hint("name it by token= or serial="))
        }
    }
}
